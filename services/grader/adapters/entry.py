"""The first program inside the box: opens the lab's ports there, gives up what is left of its rights, and turns into the job's program.

Run as `python -I -S -c SOURCE CHANNEL UID TASKS PORTS PROGRAM…`, because the box shows nothing of the grader. CHANNEL is the number of
a socket whose other end the guard holds (relay.py): the listening sockets go there, and the kernel adds this process's pid as the guard
sees it. UID is a user id, or - where there is nobody to turn into; TASKS the most threads and processes of that user; PORTS are numbers
with commas between. What goes wrong before the sockets are sent is the grader's fault, and after it the program's.

Every start of a job pays for these imports: `socket` and `json` take longer than the interpreter itself.
"""

import _socket
import array
import os
import resource
import sys

BACKLOG = 128
OPEN_FILES = 1024


def main(channel: str, uid: str, tasks: str, ports: str, *argv: str) -> None:
    """Never returns."""
    listeners = [_listening(int(port)) for port in ports.split(",") if port]
    resource.setrlimit(resource.RLIMIT_NPROC, (int(tasks), int(tasks)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    if uid != "-":
        os.setgroups([])
        os.setresgid(int(uid), int(uid), int(uid))
        os.setresuid(int(uid), int(uid), int(uid))
    rights = array.array("i", [one.fileno() for one in listeners])
    end = _socket.socket(fileno=int(channel))
    end.sendmsg([b"ready"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if rights else [])
    for one in (end, *listeners):
        one.close()
    try:
        os.execvpe(argv[0], argv, os.environ)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _listening(port: int) -> _socket.socket:
    one = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    one.bind(("127.0.0.1", port))
    one.listen(BACKLOG)
    return one


if __name__ == "__main__":
    main(*sys.argv[1:])
