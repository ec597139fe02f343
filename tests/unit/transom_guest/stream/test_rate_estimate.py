from transom_guest.stream.rate_estimate import BASE_S, LinkEstimate, Packet

WAY = 0.02


def told(estimate: LinkEstimate, now: float, late: float) -> None:
    """Ten packets of the last tenth of a second arrive, `late` seconds later than the way takes."""
    sent = [now - 0.1 + 0.01 * n for n in range(10)]
    estimate.take(now, [Packet(each, each + WAY + late, 1200) for each in sent])


def test_a_clock_that_drifted_while_a_desktop_stood_still_is_no_queue() -> None:
    estimate = LinkEstimate()
    for second in range(30):
        told(estimate, 1.0 + second, 0.0)
    told(estimate, 30.0 + 3600, 0.08)
    assert estimate.queue_s < 0.001
    told(estimate, 30.2 + 3600, 0.14)
    assert 0.05 < estimate.queue_s < 0.07


def test_a_pause_shorter_than_that_forgets_no_queue() -> None:
    estimate = LinkEstimate()
    for second in range(30):
        told(estimate, 1.0 + second, 0.0)
    told(estimate, 30.0 + BASE_S - 1, 0.08)
    assert 0.07 < estimate.queue_s < 0.09
