// Package handworker attaches to a server by hand: it speaks the messages of the control
// socket itself, and maps the shared memory that it gets, so that a test can break any rule
// that the SDKs keep.
package handworker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// Attachment is what a worker has after the welcome and before it maps anything.
type Attachment struct {
	Conn     *net.UnixConn
	Welcome  *attach.Welcome
	Request  *os.File // segment
	Response *os.File // segment
	Bell     *os.File // the server's
	Own      *os.File // ours; nil: a futex
}

// ErrRefused is returned when the server answers a Hello with something else than a Welcome.
var ErrRefused = errors.New("not welcome")

// Attach asks for a link of a pool. The descriptors that come with the Welcome belong to the
// caller.
func Attach(socket, pool, bell string, lanes uint32) (*Attachment, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	hello, err := attach.Encode(&attach.Hello{
		LayoutMin: shm.LayoutMin, LayoutMax: shm.LayoutMax, Pool: pool, PID: uint32(os.Getpid()),
		SDK: "by hand", Lanes: lanes, Bell: bell,
	})
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(hello); err != nil {
		return nil, err
	}
	a, err := readWelcome(conn)
	if err != nil {
		_ = conn.Close()
	}
	return a, err
}

func readWelcome(conn *net.UnixConn) (*Attachment, error) {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	packet, rights := make([]byte, attach.MaxMessage+1), make([]byte, unix.CmsgSpace(4*8))
	n, rn, _, _, err := conn.ReadMsgUnix(packet, rights)
	if err != nil {
		return nil, err
	}
	message, err := attach.Decode(packet[:n])
	if err != nil {
		return nil, err
	}
	welcome, ok := message.(*attach.Welcome)
	if !ok {
		return nil, fmt.Errorf("%w: the server answered %+v", ErrRefused, message)
	}
	controls, err := unix.ParseSocketControlMessage(rights[:rn])
	if err != nil || len(controls) != 1 {
		return nil, fmt.Errorf("%d control messages: %w", len(controls), err)
	}
	fds, err := unix.ParseUnixRights(&controls[0])
	if err != nil || len(fds) < 3 {
		return nil, fmt.Errorf("%d descriptors: %w", len(fds), err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	a := &Attachment{
		Conn: conn, Welcome: welcome,
		Request:  os.NewFile(uintptr(fds[0]), "request"),
		Response: os.NewFile(uintptr(fds[1]), "response"),
		Bell:     os.NewFile(uintptr(fds[2]), "bell"),
	}
	if len(fds) > 3 {
		a.Own = os.NewFile(uintptr(fds[3]), "own bell")
	}
	return a, nil
}

// Hear returns the next message of the server. Preconditions: it is not the Welcome.
func (a *Attachment) Hear() (attach.Message, error) {
	packet := make([]byte, attach.MaxMessage)
	n, err := a.Conn.Read(packet)
	if err != nil {
		return nil, err
	}
	return attach.Decode(packet[:n])
}

// Map maps all of a file. It panics if it cannot: so does a worker that has nothing to serve.
func Map(file *os.File, prot int) []byte {
	info, err := file.Stat()
	if err != nil {
		panic(err)
	}
	mem, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), prot, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return mem
}

// Leave closes the control socket, and keeps the files: what a worker does that holds on to
// memory.
func (a *Attachment) Leave() { _ = a.Conn.Close() }

// CloseFiles closes the descriptors that came with the Welcome.
func (a *Attachment) CloseFiles() {
	for _, f := range []*os.File{a.Request, a.Response, a.Bell, a.Own} {
		if f != nil {
			_ = f.Close()
		}
	}
}
