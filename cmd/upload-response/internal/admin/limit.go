package admin

import (
	"net"
	"sync"
)

// limitedListener accepts only so many connections at once: others wait in the kernel's queue.
type limitedListener struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

// limitedConn is a connection that has one of the places. Release: Close.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	once     sync.Once
}

func limitConns(l net.Listener, most int) net.Listener {
	return &limitedListener{Listener: l, places: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept waits for a place, and then for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &limitedConn{Conn: c, listener: l}, nil
}

// Close ends Accept.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Close gives the place back.
func (c *limitedConn) Close() error {
	c.once.Do(func() { <-c.listener.places })
	return c.Conn.Close()
}
