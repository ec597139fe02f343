/** noVNC's keyboard: layouts, AltGr on Windows, Command and CapsLock on macOS, keys without a code. */
export default class Keyboard {
  constructor(target: EventTarget);
  onkeyevent: (keysym: number | null, code: string, down: boolean) => void;
  grab(): void;
  ungrab(): void;
}
