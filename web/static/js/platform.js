// Which system this is, as noVNC's keyboard asks it: in place of noVNC's util/browser.js, which decodes a picture first.

export function isMac() {
  return /mac/i.test(navigator.platform);
}

export function isWindows() {
  return /win/i.test(navigator.platform);
}

export function isIOS() {
  return /ipad|iphone|ipod/i.test(navigator.platform);
}
