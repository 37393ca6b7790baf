package faults_test

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// attachment is what a worker has after the welcome and before it maps anything.
type attachment struct {
	conn     *net.UnixConn
	welcome  *attach.Welcome
	request  *os.File // segment
	response *os.File // segment
	bell     *os.File // the server's
	own      *os.File // ours; nil: a futex
}

// sayHello attaches by hand.
func sayHello(socket, pool, bell string, lanes uint32) (*attachment, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socket, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	hello, err := attach.Encode(&attach.Hello{
		LayoutMin: shm.LayoutMin, LayoutMax: shm.LayoutMax, Pool: pool, PID: uint32(os.Getpid()),
		SDK: "scribbler", Lanes: lanes, Bell: bell,
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

func readWelcome(conn *net.UnixConn) (*attachment, error) {
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
		return nil, fmt.Errorf("the server answered %+v", message)
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
	a := &attachment{
		conn: conn, welcome: welcome,
		request: os.NewFile(uintptr(fds[0]), "request"), response: os.NewFile(uintptr(fds[1]), "response"), bell: os.NewFile(uintptr(fds[2]), "bell"),
	}
	if len(fds) > 3 {
		a.own = os.NewFile(uintptr(fds[3]), "own bell")
	}
	return a, nil
}

// mapWhole maps all of a file.
func mapWhole(file *os.File, prot int) []byte {
	info, err := file.Stat()
	must(err)
	mem, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), prot, unix.MAP_SHARED)
	must(err)
	return mem
}

// must ends a role that cannot go on.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
