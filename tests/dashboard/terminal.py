"""Runs a command on a terminal of its own and plays a script on it.

terminal.py SCRIPT COMMAND…, where SCRIPT is JSON: a list of
  {"wait": "word"}        until the terminal has shown this word (60 s at most); what is between words
                          may have been there
  {"file": [glob, text]}  until a file of this name has this text
  {"press": "keys"}       sends keys
  {"size": [rows, cols]}  resizes
  {"hang_up": true}       closes the terminal
Prints JSON: the exit code and all that was written.
"""

import fcntl
import glob
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

script, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)


def resize(rows, cols):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


resize(24, 80)
seen = b""


def read(seconds):
    """Reads for a while; says whether the terminal is still there."""
    global seen
    if not select.select([terminal], [], [], seconds)[0]:
        return True
    try:
        part = os.read(terminal, 65536)
    except OSError:
        return False
    seen += part
    return bool(part)


def wait(wanted, is_there):
    end = time.time() + 60
    while not is_there():
        if time.time() > end or not read(0.1):
            print(json.dumps({"missing": wanted, "seen": seen.decode("utf-8", "replace")}))
            os.kill(pid, signal.SIGKILL)
            sys.exit(0)


from_here = 0
for action in script:
    if "wait" in action:
        word = action["wait"].encode()
        wait(action["wait"], lambda: word in seen[from_here:])
        from_here = len(seen)
    elif "file" in action:
        name, text = action["file"]
        text = text.encode()
        wait(name, lambda: any(text in open(path, "rb").read() for path in glob.glob(name)))
    elif "press" in action:
        os.write(terminal, action["press"].encode())
    elif "size" in action:
        resize(*action["size"])
        os.kill(pid, signal.SIGWINCH)
    elif "hang_up" in action:
        os.close(terminal)
        terminal = None
end = time.time() + 60
while terminal is not None and time.time() < end and read(0.5):
    pass
while True:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        break
    if time.time() > end:
        os.kill(pid, signal.SIGKILL)
        print(json.dumps({"missing": "its end", "seen": seen.decode("utf-8", "replace")}))
        sys.exit(0)
    time.sleep(0.05)
code = os.waitstatus_to_exitcode(status)
print(json.dumps({"code": code, "seen": seen.decode("utf-8", "replace")}))
