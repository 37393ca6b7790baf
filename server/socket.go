package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto"
)

// ErrSocketBusy is returned when another process listens on the socket path.
var ErrSocketBusy = errors.New("socket in use")

// ListenWorkers listens for workers on a Unix socket path. A socket file that a
// dead server left behind is replaced; of a live one, [ErrSocketBusy] names the
// process. Only our own user can connect, unless shared is true: then anybody
// can, and the router checks who it is. The folder of [proto.DefaultSocket] is made.
func ListenWorkers(path string, shared bool) (*net.UnixListener, error) {
	mode := os.FileMode(0o600)
	if shared {
		mode = 0o666
	}
	if err := proto.MakeSocketFolder(path); err != nil {
		return nil, fmt.Errorf("worker socket %w", err)
	}
	listener, err := listenSocket("unixpacket", path, mode)
	if err != nil {
		return nil, fmt.Errorf("worker socket %w", err)
	}
	return listener, nil
}

// listenSocket listens on a path, whose socket file gets the mode.
func listenSocket(network, path string, mode os.FileMode) (*net.UnixListener, error) {
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

// lockTime is how long we wait for the lock. Anybody who can read the folder can
// hold it, so that may not keep a server from starting.
const lockTime = time.Second

// lockFolder keeps two servers that start at the same time from replacing each
// other's socket. The lock leaves nothing behind.
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
		if cred, err := peerCredentials(conn); err == nil {
			return fmt.Errorf("%w by process %d", ErrSocketBusy, cred.Pid)
		}
		return ErrSocketBusy
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// peerCredentials asks the kernel for the credentials of the other end of a connection.
func peerCredentials(conn *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if failure := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); failure != nil {
		return nil, failure
	}
	return cred, err
}
