// Brings a fresh checkout to where everything runs, and does nothing on one that is there already. Plain JavaScript with
// nothing but Node's builtins: nothing else is installed yet. `npm start` and `npm test` call it first; `--worker` leaves out
// what only the embedded stack and the demo need.
import '../bin/node-version.mjs';

// Not a static import: this one is not even read by a Node that is too old for it.
import('./setup/main.mjs');
