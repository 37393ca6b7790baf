package dispatch

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server/listen"
)

// PoolID is a user or group whose processes may serve one pool.
type PoolID struct {
	Pool string
	ID   uint32
}

// process is the one that connected to the worker socket. The kernel vouches for it
// (SO_PEERCRED).
type process struct {
	pid      int
	uid, gid uint32
	leader   int // the worker that the server's owner has started, which it is or descends from; 0: none
}

// processOf asks the kernel which process is at the other end of conn.
func processOf(conn *net.UnixConn) (process, error) {
	cred, err := listen.PeerCredentials(conn)
	if err != nil {
		return process{}, err
	}
	return process{pid: int(cred.Pid), uid: cred.Uid, gid: cred.Gid}, nil
}

// onDescriptor calls f with the descriptor of conn, and leaves what went wrong in err.
func onDescriptor(conn *net.UnixConn, err *error, f func(fd int) error) {
	raw, failure := conn.SyscallConn()
	if failure == nil {
		failure = raw.Control(func(fd uintptr) { *err = f(int(fd)) })
	}
	if failure != nil {
		*err = failure
	}
}

// mayServeAny reports whether the processes of a peer's user or group may serve every
// pool.
func (c *Config) mayServeAny(p process) bool {
	return int(p.uid) == os.Geteuid() || slices.Contains(c.AllowUIDs, p.uid) || slices.Contains(c.AllowGIDs, p.gid)
}

// mayConnect returns a refusal unless there is a pool that the peer may serve.
func (c *Config) mayConnect(p process) error {
	if c.mayServeAny(p) ||
		slices.ContainsFunc(c.PoolUIDs, func(a PoolID) bool { return a.ID == p.uid }) ||
		slices.ContainsFunc(c.PoolGIDs, func(a PoolID) bool { return a.ID == p.gid }) {
		return nil
	}
	return refusal(attach.CodeDenied, "user %d, group %d may not attach (process %d)", p.uid, p.gid, p.pid)
}

// mayServe returns a refusal unless the peer's user or group may serve a pool.
func (c *Config) mayServe(p process, pool string) error {
	if c.mayServeAny(p) || slices.Contains(c.PoolUIDs, PoolID{pool, p.uid}) ||
		slices.Contains(c.PoolGIDs, PoolID{pool, p.gid}) {
		return nil
	}
	return refusal(attach.CodeDenied, "user %d, group %d may not serve pool %q (process %d)", p.uid, p.gid, pool, p.pid)
}

// holderOf returns for whom a link of the peer's is counted, or a refusal if only workers
// that the server's owner has started may serve the pool, and it is none. It notes
// the leader in the peer.
func (d *Dispatcher) holderOf(conn *net.UnixConn, p *process, pool string) (holder, error) {
	h := holder{pool: pool, uid: p.uid, process: p.pid}
	if d.config.Load().Started == nil {
		return h, nil
	}
	of, leader := d.startedFor(conn, *p)
	if leader != 0 {
		p.leader = leader
		h.process, h.started = leader, of == pool
	}
	closed := slices.Contains(d.config.Load().Supervised, pool) && !slices.Contains(d.config.Load().OpenPools, pool)
	if closed && !h.started {
		return h, refusal(attach.CodeDenied,
			"pool %q takes workers only that the server has started, and process %d is none", pool, p.pid)
	}
	return h, nil
}

// startedFor returns which of the workers that were started the peer is or descends
// from, and its pool. The peer's process may have ended since it connected, and its
// number be another's; that of a process that is alive when the answer has come was
// its own all the time.
func (d *Dispatcher) startedFor(conn *net.UnixConn, p process) (pool string, leader int) {
	fd, err := peerPidfd(conn, p.pid)
	if err != nil {
		return "", 0 // it has ended
	}
	defer unix.Close(fd)
	pool, leader = d.config.Load().Started(p.pid)
	if exited(fd) {
		return "", 0
	}
	return pool, leader
}

// peerPidfd returns a descriptor of the process at the other end of conn. Before Linux
// 6.5 it is that of the process which has the peer's number now.
func peerPidfd(conn *net.UnixConn, pid int) (fd int, err error) {
	onDescriptor(conn, &err, func(socket int) error {
		fd, err = unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		return err
	})
	if errors.Is(err, unix.ENOPROTOOPT) {
		fd, err = unix.PidfdOpen(pid, 0)
	}
	if err != nil {
		return -1, fmt.Errorf("process %d: %w", pid, err)
	}
	return fd, nil
}

// exited reports whether the process of a pidfd has ended.
func exited(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return err != nil || n > 0
		}
	}
}
