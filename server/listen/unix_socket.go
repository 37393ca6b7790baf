package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// ErrSocketBusy is returned when another process listens on the socket path.
var ErrSocketBusy = errors.New("socket in use")

// Workers listens for workers on a Unix socket path. It replaces a socket file that a dead
// server left behind; for that of a live one it returns [ErrSocketBusy], which names the
// process. Only our own user can connect, unless shared is true: then anybody can, and the
// router checks who it is. Workers makes the folder of [attach.DefaultSocket].
func Workers(path string, shared bool) (*net.UnixListener, error) {
	mode := os.FileMode(0o600)
	if shared {
		mode = 0o666
	}
	if err := attach.MakeSocketFolder(path); err != nil {
		return nil, fmt.Errorf("worker socket %w", err)
	}
	listener, err := listenUnix("unixpacket", path, mode)
	if err != nil {
		return nil, fmt.Errorf("worker socket %w", err)
	}
	return listener, nil
}

// listenUnix listens on a path, whose socket file gets the mode.
func listenUnix(network, path string, mode os.FileMode) (*net.UnixListener, error) {
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer unlock()
	if err := removeStale(network, path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	listener, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return listener, nil
}

// lockTime is how long to wait for the lock. Anybody who can read the folder can hold it,
// which must not keep a server from starting.
const lockTime = time.Second

// lockFolder keeps two servers that start at the same time from replacing each other's
// socket. The lock leaves nothing behind.
func lockFolder(dir string) (unlock func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockTime); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			break
		}
	}
	return func() { _ = folder.Close() }, nil
}

// removeStale removes a socket file that nobody listens on.
func removeStale(network, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("is there already and is not a socket")
	}
	conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
	if err == nil {
		defer conn.Close()
		if cred, err := PeerCredentials(conn); err == nil {
			return fmt.Errorf("%w by process %d", ErrSocketBusy, cred.Pid)
		}
		return ErrSocketBusy
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// ErrNoServer is returned when no process listens on a worker socket.
var ErrNoServer = errors.New("no server")

// ServerProcess returns the process that listens on a worker socket path, as the kernel says.
// It returns [ErrNoServer] if there is none, and an error if it is out of reach.
func ServerProcess(path string) (pid int, err error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return 0, fmt.Errorf("%w listens on %s", ErrNoServer, path)
	}
	if err != nil {
		return 0, fmt.Errorf("worker socket %s: %w", path, err)
	}
	defer conn.Close()
	cred, err := PeerCredentials(conn)
	if err != nil {
		return 0, fmt.Errorf("worker socket %s: %w", path, err)
	}
	return int(cred.Pid), nil
}

// PeerCredentials asks the kernel who is at the other end of a connection (SO_PEERCRED).
func PeerCredentials(c *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	failure := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if failure != nil {
		return nil, failure
	}
	return cred, err
}
