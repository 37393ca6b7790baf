package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// welcomeTime is how long the server may take to answer a hello.
const welcomeTime = 10 * time.Second

// Attach connects to the server's worker socket and returns a link. If socket is empty,
// the path is that in UPLOAD_RESPONSE_SOCKET, or else [attach.DefaultSocket]. Attach returns
// a [*attach.Refusal] if the server refuses the worker, and [ErrServer] if the server is not
// trusted. Release: [Link.Close].
func Attach(ctx context.Context, socket string, list ...Option) (*Link, error) {
	o := newOptions(list)
	l, err := connect(ctx, socket, &o)
	if err != nil {
		return nil, err
	}
	l.incoming = make(chan *Request, len(l.lanes))
	go l.run()
	return l, nil
}

// connect returns a link. The caller starts its run.
func connect(ctx context.Context, socket string, o *options) (*Link, error) {
	socket = socketPath(socket)
	uid, err := o.namedUID()
	if err == nil {
		err = attach.CheckSocketFolder(socket)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServer, err)
	}
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "unixpacket", socket)
	if err != nil {
		return nil, fmt.Errorf("worker: attach: %w", err)
	}
	conn := raw.(*net.UnixConn)
	if err := checkServer(conn, uid); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(welcomeTime))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	welcome, files, err := handshake(conn, o)
	if !stop() && err == nil {
		closeFiles(files)
		err = ctx.Err()
	}
	if err == nil {
		var l *Link
		if l, err = open(conn, welcome, files, o); err == nil {
			_ = conn.SetDeadline(time.Time{})
			return l, nil
		}
	}
	_ = conn.Close()
	return nil, err
}

// handshake sends a hello and returns the server's welcome and the descriptors that came
// with it.
func handshake(conn *net.UnixConn, o *options) (*attach.Welcome, []*os.File, error) {
	hello := &attach.Hello{
		LayoutMin: shm.LayoutMin, LayoutMax: shm.LayoutMax, Pool: o.pool, Name: o.name, PID: uint32(os.Getpid()),
		SDK: "go", SDKVersion: Version, Lanes: uint32(o.lanes), Bell: attach.BellEventfd,
		Stacks: uint32(o.stacks),
	}
	if err := hello.Validate(); err != nil {
		return nil, nil, fmt.Errorf("worker: attach: %w", err)
	}
	packet, err := attach.Encode(hello)
	if err != nil {
		return nil, nil, fmt.Errorf("worker: attach: %w", err)
	}
	if _, err := conn.Write(packet); err != nil {
		return nil, nil, fmt.Errorf("worker: attach: %w", err)
	}
	return readWelcome(conn)
}

func readWelcome(conn *net.UnixConn) (*attach.Welcome, []*os.File, error) {
	packet, rights := make([]byte, attach.MaxMessage+1), make([]byte, unix.CmsgSpace(4*8))
	n, rn, _, _, err := conn.ReadMsgUnix(packet, rights)
	if err != nil {
		return nil, nil, fmt.Errorf("worker: attach: no answer: %w", err)
	}
	files, err := receivedFiles(rights[:rn])
	if err != nil {
		return nil, nil, fmt.Errorf("worker: attach: %w", err)
	}
	message, err := attach.Decode(packet[:n])
	if err == nil {
		switch m := message.(type) {
		case *attach.Welcome:
			return m, files, nil
		case *attach.Refusal:
			err = m
		default:
			err = fmt.Errorf("the server answered with %q", message.Type())
		}
	}
	closeFiles(files)
	return nil, nil, fmt.Errorf("worker: attach: %w", err)
}

// receivedFiles returns the descriptors in a control message.
func receivedFiles(control []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "segment"))
		}
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// errDescriptors is returned when the welcome came without the four descriptors.
var errDescriptors = errors.New("worker: attach: the welcome came without its descriptors")

// open maps the segments and makes the link. It takes ownership of the files: request
// segment, response segment, the server's bell, the worker's bell.
func open(conn *net.UnixConn, welcome *attach.Welcome, files []*os.File, o *options) (*Link, error) {
	if len(files) != 4 {
		closeFiles(files)
		return nil, errDescriptors
	}
	requests, id, err := shm.OpenRequestSegment(files[0])
	if err != nil {
		closeFiles(files[1:])
		return nil, fmt.Errorf("worker: attach: %w", err)
	}
	geometry, err := requests.OpenResponseGeometry(welcome.Link, welcome.LinkGeneration)
	var responses *shm.ResponseSegment
	if err == nil {
		responses, err = shm.OpenResponseSegment(geometry, files[1])
	}
	if err != nil {
		_ = requests.Close()
		closeFiles(files[1:])
		return nil, fmt.Errorf("worker: attach: %w", err)
	}
	ring, err1 := takeDescriptor(files[2])
	sleep, err2 := takeDescriptor(files[3])
	ownBell, err3 := shm.OpenEventfd(sleep)
	if err := errors.Join(err1, err2, err3); err != nil {
		_ = requests.Close()
		_ = responses.Close()
		return nil, fmt.Errorf("worker: attach: %w", err)
	}
	serverBell := shm.OpenPeerEventfd(ring)
	l := &Link{
		conn: conn, welcome: *welcome, instance: id.Instance, requests: requests, responses: responses,
		serverBell: serverBell, bell: ownBell, closed: make(chan struct{}),
		end: shm.NewWorkerEnd(requests, welcome.Link, welcome.LinkGeneration, responses, serverBell),
	}
	l.openLanes()
	l.concurrency = min(o.lanes, len(l.lanes))
	return l, nil
}

// takeDescriptor returns a descriptor that outlives file, and closes file.
func takeDescriptor(file *os.File) (int, error) {
	defer file.Close()
	return unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}
