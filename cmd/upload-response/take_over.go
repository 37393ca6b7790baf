package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
)

// This is what a process does that takes the place of another one; upgrade.go is the other side.

// Names of descriptors, before that of the socket.
const (
	clientSocket = "listen "
	quicSocket   = "udp "
	quicForward  = "quic " // and after it, the prefix of the connection ids of a process that still runs
)

// openListener listens for clients on an address, or goes on where the predecessor listens.
func (v *service) openListener(a listen.Address) (*listen.Listener, error) {
	l, err := v.inheritOrListen(strings.TrimSpace(clientSocket), a, v.settings.listeners.http3)
	if err != nil {
		return nil, err
	}
	udp, ok := l.UDP.(*net.UDPConn)
	if !ok {
		return l, nil
	}
	older, err := v.inheritForwards(a)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.UDP = listen.NewSharedUDP(udp, older)
	return l, nil
}

// inheritOrListen goes on where the predecessor listens for something, or listens.
func (v *service) inheritOrListen(what string, a listen.Address, http3 bool) (*listen.Listener, error) {
	p, mode := v.settings.predecessor, v.settings.listeners.mode
	stream := p.Take(what + " " + a.Socket())
	if stream == nil {
		return v.systemd.Listen(a, mode, http3)
	}
	var udp *os.File
	if a.Secure && http3 {
		udp = p.Take(quicSocket + a.Socket())
	}
	return a.Inherit(stream, udp, http3)
}

// inheritForwards returns the ways to the processes that have connections of HTTP/3.
func (v *service) inheritForwards(a listen.Address) (list []*listen.Forward, err error) {
	p := v.settings.predecessor
	for _, name := range p.Names(quicForward + a.Socket() + " ") {
		prefix, err := listen.ParsePrefix(name[strings.LastIndexByte(name, ' ')+1:])
		if err != nil {
			return nil, err
		}
		f, err := listen.NewForward(prefix, p.Take(name))
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// oldSuffix is that of the path to which a worker socket is moved while another process takes over.
const oldSuffix = ".old"

// listenWorkers listens for workers. The socket is a new one in each process, because the kernel tells everybody
// which process listens on it. That of the predecessor is moved away, so that it can come back.
func (v *service) listenWorkers() (err error) {
	s := v.settings
	if p := s.predecessor; p != nil {
		if pid, err := listen.ServerProcess(s.socket); err == nil && pid == p.PID {
			if err := os.Rename(s.socket, s.socket+oldSuffix); err != nil {
				return err
			}
		}
	}
	v.socket, err = server.ListenWorkers(s.socket, s.otherUsers())
	return err
}

// awaitTurn waits until this process can take the place of its predecessor, if it has one.
func (v *service) awaitTurn() error {
	p := v.settings.predecessor
	if p == nil {
		return nil
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if ready, err := v.workersReady(); err != nil {
			return err
		} else if ready {
			p.Ready()
			return nil
		}
		select {
		case <-ticker.C:
		case err := <-v.failed:
			return err
		case s := <-v.signals:
			if s != unix.SIGHUP && s != unix.SIGUSR1 && s != unix.SIGUSR2 {
				return fmt.Errorf("stopped by a signal (%v)", s)
			}
		}
	}
}

// lookEvery is how often the workers are looked at.
const lookEvery = 20 * time.Millisecond

// workersReady reports whether all workers are attached. One that has ended is an error: the predecessor's
// workers do better.
func (v *service) workersReady() (bool, error) {
	all := true
	for _, a := range v.workers.Apps() {
		for reason, n := range a.Exits {
			if n > 0 {
				return false, fmt.Errorf("a worker of app %s ended before it attached (%s): the log says how",
					a.Name, reason)
			}
		}
		all = all && a.Ready >= a.Processes
	}
	return all, nil
}

// takeOver tells the predecessor that this process serves, and removes files of sockets at the end from now on.
func (v *service) takeOver() {
	p := v.settings.predecessor
	if p == nil {
		return
	}
	for _, l := range v.listeners {
		l.OwnFile(true)
	}
	if v.metrics != nil {
		v.metrics.listener.OwnFile(true)
	}
	v.admin.ownFile(true)
	v.router.ExpectWorkers(v.now().shutdown) // that come from the predecessor
	p.Serving()
	v.log.Info("took over", "from", p.PID)
}
