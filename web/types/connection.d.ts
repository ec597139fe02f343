/** Peer connections, and what is sent to make them. */

export interface IceServers {
  ice_servers: RTCIceServer[];
  ttl_s: number;
}

/** A peer connection as the machine expects it: its channels, its media, and the offer that says so. */
export interface Line {
  connection: RTCPeerConnection;
  control: RTCDataChannel;
  motion: RTCDataChannel;
  clipboard: RTCDataChannel;
  audio: RTCRtpTransceiver;
  offer: Promise<RTCSessionDescriptionInit>;
}

export interface Connections {
  make: () => Line;
}

/** A page's first offer; `sdp` is empty until it went out, before anybody asked for it. */
export interface Offered {
  peer: string;
  epoch: number;
  sdp: string;
}
