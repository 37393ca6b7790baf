package worker

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// socketPath returns the path to attach to, if the caller gave none.
func socketPath(given string) string {
	if given != "" {
		return given
	}
	if path := os.Getenv(attach.SocketVariable); path != "" {
		return path
	}
	return attach.DefaultSocket(os.Getenv)
}

// namedUID returns the user whose server is believed besides ours and root's, or noUID.
func (o *options) namedUID() (int, error) {
	text := os.Getenv(ServerUIDVariable)
	if o.serverUID != noUID || text == "" {
		return o.serverUID, nil
	}
	uid, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return noUID, fmt.Errorf("%s is %q, want a user id", ServerUIDVariable, text)
	}
	return int(uid), nil
}

// checkServer returns an error if we do not believe who listens at the other end of conn. The
// kernel vouches for who that is (SO_PEERCRED). He gets to write memory that we read, and
// bytes that our handlers take for clients'.
func checkServer(conn *net.UnixConn, named int) error {
	cred, err := peerCredentials(conn)
	if err != nil {
		return fmt.Errorf("worker: attach: %w", err)
	}
	return believe(int(cred.Uid), os.Geteuid(), named, conn.RemoteAddr().String())
}

func believe(uid, own, named int, path string) error {
	if uid == own || uid == 0 || uid == named && named != noUID {
		return nil
	}
	return fmt.Errorf("%w: at %s is one of user %d, not of ours (%d) or root: name it with %s or WithServerUID if that is right",
		ErrServer, path, uid, own, ServerUIDVariable)
}

func peerCredentials(conn *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err2 := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err2 != nil {
		return nil, err2
	}
	return cred, err
}
