package main

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/upgrade"
	"github.com/wavey-ai/upload-response/server/listen"
)

// upgradeTimeout bounds how long a new process may take: its workers have timeouts of their own.
const upgradeTimeout = 10 * time.Minute

// goTimeout is how long it may take when all that is left is to serve.
const goTimeout = 10 * time.Second

var (
	errUpgrading   = errors.New("another process is being started already")
	errAboutToEnd  = errors.New("the server is about to end")
	errNoSuccessor = errors.New("only a server that was started by serve can be replaced by a new process")
	errFirst       = errors.New("this process is the first of a container, which would end with it: " +
		"replace the container")
)

// tryUpgrade is upgrade for a signal: the log says what came of it.
func (v *service) tryUpgrade() { _, _ = v.upgrade() }

// upgrade has a new process of the program take the place of this one, and returns its id when it serves. Then this
// process stops. On an error it goes on as before.
func (v *service) upgrade() (pid int, err error) {
	pid, err = v.replace()
	if err != nil {
		v.log.Error("upgrade failed: this process goes on", "error", err)
		return 0, err
	}
	v.log.Info("upgraded", "pid", pid)
	v.replaced <- pid
	return pid, nil
}

func (v *service) replace() (pid int, err error) {
	switch {
	case !v.replaceable:
		return 0, errNoSuccessor
	case os.Getpid() == 1:
		return 0, errFirst
	case !v.upgrading.TryLock():
		return 0, errUpgrading
	}
	defer v.upgrading.Unlock()
	if v.left || v.ctx.Err() != nil {
		return 0, errAboutToEnd
	}
	h := &handover{sockets: &upgrade.Sockets{}}
	defer h.sockets.Close()
	if err := h.collect(v); err != nil {
		h.takeBack()
		return 0, err
	}
	old := v.settings.socket + oldSuffix
	_ = os.Remove(old) // of a process that was killed while it was replaced
	next, err := upgrade.Start(h.sockets)
	if err != nil {
		h.takeBack()
		return 0, err
	}
	v.log.Info("upgrade: another process starts", "pid", next.PID)
	if err := h.await(v.ctx, next); err != nil {
		next.Kill()
		h.takeBack()
		_ = os.Rename(old, v.settings.socket) // if it was moved
		return 0, err
	}
	next.Release()
	v.manager.handOver(next.PID)
	_ = os.Remove(old)
	v.left = true
	return next.PID, nil
}

// handover is what passes to another process.
type handover struct {
	sockets *upgrade.Sockets
	udp     []sharedSocket
}

// sharedSocket is a UDP socket, and the way on which its packets come afterwards.
type sharedSocket struct {
	socket  *listen.SharedUDP
	through *net.UnixConn
}

// collect duplicates the sockets.
func (h *handover) collect(v *service) error {
	for _, l := range v.listeners {
		if err := h.add(clientSocket, l); err != nil {
			return err
		}
	}
	if v.metrics != nil {
		if err := h.add("metrics ", v.metrics.listener); err != nil {
			return err
		}
	}
	if v.admin.listener == nil {
		return nil
	}
	stream, _, err := (&listen.Listener{Listener: v.admin.listener}).Duplicate()
	if err != nil {
		return err
	}
	h.sockets.Add(adminSocket+v.settings.admin.address.String(), stream)
	return nil
}

// add duplicates the sockets of a listener.
func (h *handover) add(what string, l *listen.Listener) error {
	stream, udp, err := l.Duplicate()
	if err != nil {
		return err
	}
	h.sockets.Add(what+l.Address.Socket(), stream)
	if udp == nil {
		return nil
	}
	h.sockets.Add(quicSocket+l.Address.Socket(), udp)
	shared, ok := l.UDP.(*listen.SharedUDP)
	if !ok {
		return nil
	}
	return h.addForwards(l.Address, shared)
}

// addForwards adds the ways to this process, and to those before it that still run.
func (h *handover) addForwards(a listen.Address, shared *listen.SharedUDP) error {
	name := quicForward + a.Socket() + " "
	for _, f := range shared.Older() {
		if file, err := f.Duplicate(); err == nil { // otherwise it has just ended
			h.sockets.Add(name+f.Prefix.String(), file)
		}
	}
	ours, theirs, err := listen.NewPair()
	if err != nil {
		return err
	}
	h.sockets.Add(name+shared.Prefix().String(), theirs)
	h.udp = append(h.udp, sharedSocket{shared, ours})
	return nil
}

// await waits until the new process serves. Before it reads from UDP sockets, this one leaves them.
func (h *handover) await(ctx context.Context, next *upgrade.Successor) error {
	ctx, cancel := context.WithTimeout(ctx, upgradeTimeout)
	defer cancel()
	if err := next.AwaitReady(ctx); err != nil {
		return err
	}
	for _, u := range h.udp {
		u.socket.HandOver(u.through)
	}
	ctx, cancel = context.WithTimeout(ctx, goTimeout)
	defer cancel()
	return next.Go(ctx)
}

// takeBack has everything as it was.
func (h *handover) takeBack() {
	for _, u := range h.udp {
		u.socket.TakeBack()
		_ = u.through.Close()
	}
}

// leave finishes what runs, while another process serves.
func (v *service) leave() error {
	v.draining.Store(true)
	v.socket.SetUnlinkOnClose(false)
	_ = v.socket.Close()
	for _, l := range v.listeners {
		l.OwnFile(false)
	}
	if v.metrics != nil {
		v.metrics.listener.OwnFile(false)
	}
	v.admin.ownFile(false)
	go v.metrics.close()
	go v.admin.close()
	ctx, cancel := context.WithTimeout(context.Background(), v.now().shutdown)
	defer cancel()
	if err := v.server.HandOver(ctx); err != nil {
		v.log.Warn("requests cut off", "error", err)
	}
	return v.end()
}
