/** @import { Places } from "../../types/model" */

/** Where the server takes what a session's owner says. @param {string} id @returns {Places} */
export function ownersPlaces(id) {
  const session = `/api/sessions/${id}`;
  const webrtc = `/api/webrtc/session/${id}`;
  return {
    session,
    offer: `${webrtc}/offer`,
    answer: `${webrtc}/answer`,
    heartbeat: `/api/auth/session/${id}/heartbeat`,
    ice: "/api/webrtc/ice-servers",
    seats: `${session}/seats`,
    events: `${session}/events`,
    vnc: `${session}/vnc`,
    channel: `${session}/channel`,
    screen: `${session}/screen`,
    connect: `/session/${id}/connect`,
  };
}

/** The same for somebody who came by a link. @param {string} session @param {string} link its id @returns {Places} */
export function guestsPlaces(session, link) {
  const watch = `/api/watch/${session}/${link}`;
  return {
    session: watch,
    offer: `${watch}/offer`,
    answer: `${watch}/answer`,
    heartbeat: `${watch}/heartbeat`,
    ice: `${watch}/ice-servers`,
    seats: `${watch}/seats`,
    events: `${watch}/events`,
    vnc: `${watch}/vnc`,
    channel: `${watch}/channel`,
    screen: null,
    connect: `/watch/${session}/${link}/connect`,
  };
}
