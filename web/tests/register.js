// Lets Node find what pages import from /static/: the page modules, and noVNC from its package.
import { register } from "node:module";

register("./resolve.js", import.meta.url);
