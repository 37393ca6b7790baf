package shm

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// peerRole names the environment variable that makes this test binary another
// process of the test: a worker, or an attacker.
const peerRole = "UPLOAD_RESPONSE_SHM_TEST_PEER"

// peerRoles is what such a process does with the files that it is sent.
var peerRoles = map[string]func(note peerNote, files []*os.File) (answer any, err error){
	"worker":          peerWorker,
	"attack requests": peerAttackRequests,
	"attack response": peerAttackResponse,
}

// peerSocket is the descriptor of the socket in the peer.
const peerSocket = 3

func TestMain(m *testing.M) {
	if role := os.Getenv(peerRole); role != "" {
		os.Exit(runPeer(role))
	}
	os.Exit(m.Run())
}

// peerNote comes with the files.
type peerNote struct {
	Generation uint32
	Seed       uint64
	Bytes      int64 // length of the file to be attacked
}

// peerAnswer is what the peer says in the end.
type peerAnswer struct {
	Error  string
	Answer json.RawMessage
}

func runPeer(role string) int {
	note, files, err := receiveFiles(peerSocket)
	var answer peerAnswer
	if err == nil {
		var value any
		if value, err = peerRoles[role](note, files); err == nil {
			answer.Answer, err = json.Marshal(value)
		}
	}
	if err != nil {
		answer.Error = err.Error()
	}
	text, _ := json.Marshal(answer)
	if err := unix.Sendto(peerSocket, text, 0, nil); err != nil {
		return 1
	}
	return 0
}

func receiveFiles(socket int) (note peerNote, files []*os.File, err error) {
	text, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*16))
	n, c, _, _, err := unix.Recvmsg(socket, text, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return note, nil, err
	}
	if err := json.Unmarshal(text[:n], &note); err != nil {
		return note, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil {
		return note, nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return note, nil, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return note, files, nil
}

// peer is another process, from here.
type peer struct {
	socket int
	exited chan error
}

// startPeer starts this test binary again in a role, and passes it files by
// SCM_RIGHTS. It is killed when the test ends, or after a minute.
func startPeer(t *testing.T, role string, note peerNote, fds ...int) *peer {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "peer")
	defer theirs.Close()
	t.Cleanup(func() { _ = unix.Close(pair[0]) })

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), peerRole+"="+role)
	command.ExtraFiles = []*os.File{theirs}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	p := &peer{socket: pair[0], exited: make(chan error, 1)}
	go func() { p.exited <- command.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-p.exited //nolint:errcheck // the process was killed
	})

	text, err := json.Marshal(note)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Sendmsg(pair[0], text, unix.UnixRights(fds...), nil, 0); err != nil {
		t.Fatal(err)
	}
	return p
}

// answer waits for what the peer says in the end.
func (p *peer) answer(value any) error {
	text := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(p.socket, text, 0)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("the peer died without a word")
	}
	var answer peerAnswer
	if err := json.Unmarshal(text[:n], &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("the peer says: %s", answer.Error)
	}
	return json.Unmarshal(answer.Answer, value)
}
