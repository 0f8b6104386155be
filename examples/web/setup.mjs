// Installs what the lock file names, and does nothing when it is there: starting works offline.
import { spawnSync } from 'node:child_process';

// A shell, because npm is a .cmd file on Windows. `npm ls` fails on what is missing or of another version.
const npm = (command, stdio) => spawnSync(`npm ${command}`, { cwd: import.meta.dirname, shell: true, stdio }).status;

if (npm('ls', 'ignore') !== 0) process.exitCode = npm('ci', 'inherit') ?? 1;
