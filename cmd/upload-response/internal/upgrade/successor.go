package upgrade

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Sockets are the descriptors that a new process inherits, by name. Several can have the same.
type Sockets struct {
	names []string
	files []*os.File
}

// Add adds a descriptor, which Close closes.
func (s *Sockets) Add(name string, file *os.File) {
	s.names, s.files = append(s.names, name), append(s.files, file)
}

// Close closes the descriptors here.
func (s *Sockets) Close() {
	for _, file := range s.files {
		_ = file.Close()
	}
	s.files = nil
}

// Successor is the process that is to take the place of this one.
type Successor struct {
	PID     int
	command *exec.Cmd
	to      *os.File
	from    *os.File
	lines   chan string   // what it says; closed when it says nothing more
	ended   chan struct{} // closed when it has ended
	failure error         // how; guarded by ended
}

// Start starts the program as it is on disk now, with the arguments and the environment of this
// process, and the sockets. Release: Serving, or Kill.
func Start(sockets *Sockets) (*Successor, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return nil, err
	}
	text, err := json.Marshal(manifest{From: os.Getpid(), Names: sockets.names})
	if err != nil {
		return nil, err
	}
	from, theirTo, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirTo.Close()
	theirFrom, to, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, from.Close())
	}
	defer theirFrom.Close()
	s := &Successor{to: to, from: from, lines: make(chan string), ended: make(chan struct{}), command: &exec.Cmd{
		Path: path, Args: os.Args, Env: append(os.Environ(), variable+"="+string(text)),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ExtraFiles: append([]*os.File{theirTo, theirFrom}, sockets.files...),
	}}
	if err := s.command.Start(); err != nil {
		return nil, errors.Join(err, from.Close(), to.Close())
	}
	s.PID = s.command.Process.Pid
	go s.listen()
	go s.wait()
	return s, nil
}

// maxLine bounds what a successor can make us keep.
const maxLine = 16 << 10

// listen passes on the lines that the successor says.
func (s *Successor) listen() {
	defer s.from.Close()
	defer close(s.lines)
	reader := bufio.NewReaderSize(io.LimitReader(s.from, maxLine), maxLine)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		s.lines <- strings.TrimSuffix(line, "\n")
	}
}

// lastWords is how long what the successor has said may take to be read when it has ended. A descendant of it may
// hold the pipe open.
const lastWords = 100 * time.Millisecond

// wait waits for the end of the successor.
func (s *Successor) wait() {
	s.failure = s.command.Wait()
	close(s.ended)
	_ = s.from.SetReadDeadline(time.Now().Add(lastWords))
}

// AwaitReady waits until the successor could serve. It returns an error that says why if it gives up, ends,
// or ctx ends.
func (s *Successor) AwaitReady(ctx context.Context) error { return s.await(ctx, ready) }

// Go tells the successor to serve, and waits until it does. It returns an error as AwaitReady does.
func (s *Successor) Go(ctx context.Context) error {
	if _, err := s.to.WriteString(goOn + "\n"); err != nil {
		return s.how(ctx)
	}
	return s.await(ctx, serving)
}

func (s *Successor) await(ctx context.Context, want string) error {
	select {
	case line, open := <-s.lines:
		why, gaveUp := strings.CutPrefix(line, failed)
		switch {
		case !open:
			return s.how(ctx)
		case gaveUp:
			return errors.New(why)
		case line != want:
			return fmt.Errorf("the new process says %q: it is another program", line)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the new process is not ready: %w", context.Cause(ctx))
	}
}

// how returns how the successor has ended.
func (s *Successor) how(ctx context.Context) error {
	select {
	case <-s.ended:
		if s.failure == nil {
			return errors.New("the new process has ended")
		}
		return fmt.Errorf("the new process has ended: %w", s.failure)
	case <-ctx.Done():
		return errors.New("the new process says nothing")
	}
}

// Kill ends the successor, and returns when it has ended.
func (s *Successor) Kill() {
	_ = s.command.Process.Kill()
	_ = s.to.Close()
	for range s.lines { // until listen has read all
	}
	<-s.ended
}

// Release lets the successor go: it outlives this process.
func (s *Successor) Release() { _ = s.to.Close() }
