package shm

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// workerReport is what the worker process says in the end.
type workerReport struct{ Identity RequestIdentity }

// Two processes, with nothing between them but the segments and a bell: 64 MiB
// go each way, every byte is checked by the one that reads it.
func TestTwoProcessesExchangeEveryByte(t *testing.T) {
	for _, bell := range []string{"futex", "eventfd"} {
		t.Run(bell, func(t *testing.T) {
			const body = 64 << 20
			streams := append([]testStream{{id: 1, request: body, response: body}}, smallStreams(2, 300)...)
			twoProcesses(t, bell == "eventfd", streams)
		})
	}
}

func smallStreams(first, n uint64) []testStream {
	streams := make([]testStream, n)
	for i := range streams {
		id := first + uint64(i)
		streams[i] = testStream{id: id, request: id * 37 % 10_000, response: id * 53 % 20_000, revoke: id%16 == 0}
	}
	return streams
}

func twoProcesses(t *testing.T, eventfd bool, streams []testStream) {
	shape := sizes{slotSize: 64 << 10, limit: 64, rows: 4, lanes: 4, requestBuffers: 24, responseBuffers: 24}
	id := RequestIdentity{Layout: LayoutMax, PID: uint32(os.Getpid()), Hash: LayoutHash(), Features: 5, Instance: 42}
	request, err := CreateRequestSegment(shape.requestGeometry(t), id)
	if err != nil {
		t.Fatal(err)
	}
	response, file, err := CreateResponseSegment(shape.responseGeometry(t))
	if err != nil {
		t.Fatal(err)
	}
	serverBell, workerBell := testBell(t), (*Eventfd)(nil)
	fds := []int{int(request.File().Fd()), int(file.Fd()), serverBell.FD()}
	if eventfd {
		workerBell, err = NewPeerEventfd()
		if err != nil {
			t.Fatal(err)
		}
		defer workerBell.Close()
		fds = append(fds, workerBell.FD())
	}
	const generation = 3
	end := NewServerEnd(request, 0, generation, response, workerBell)
	seed := testSeed(t)
	worker := startPeer(t, "worker", peerNote{Generation: generation, Seed: seed}, fds...)
	_ = file.Close()

	watchdog, cancel := context.WithTimeoutCause(t.Context(), lostWakeUp, errLostWakeUp)
	defer cancel()
	watchdog, fail := context.WithCancelCause(watchdog)
	result := make(chan error, 1)
	var report workerReport
	go func() {
		err := worker.answer(&report)
		if err != nil {
			fail(err)
		}
		result <- err
	}()
	server := newLoopServer(request, end, serverBell, seed)
	start := time.Now()
	if err := server.run(watchdog, streams); err != nil {
		t.Fatal("server:", err)
	}
	if err := <-result; err != nil {
		t.Fatal("worker:", err)
	}
	t.Logf("%v, %+v", time.Since(start).Round(time.Millisecond), server.outcomes)
	if report.Identity != id {
		t.Errorf("the worker read %+v in the header, want %+v", report.Identity, id)
	}
	if err := response.Close(); err != nil {
		t.Error(err)
	}
	if err := request.Close(); err != nil {
		t.Error(err)
	}
}

// peerWorker serves a link in a process of its own until it is drained.
func peerWorker(note peerNote, files []*os.File) (any, error) {
	if len(files) < 3 {
		return nil, fmt.Errorf("%d files", len(files))
	}
	request, id, err := OpenRequestSegment(files[0])
	if err != nil {
		return nil, err
	}
	defer request.Close()
	g, err := request.OpenResponseGeometry(0, note.Generation)
	if err != nil {
		return nil, err
	}
	response, err := OpenResponseSegment(g, files[1])
	if err != nil {
		return nil, err
	}
	defer response.Close()
	// A bell takes its descriptor over: it must not be the file's too.
	fd, err := duplicate(files[2])
	if err != nil {
		return nil, err
	}
	serverBell := OpenPeerEventfd(fd)
	defer serverBell.Close()
	var bell *Eventfd
	if len(files) > 3 {
		if fd, err = duplicate(files[3]); err != nil {
			return nil, err
		}
		if bell, err = OpenEventfd(fd); err != nil {
			return nil, err
		}
		defer bell.Close()
	}
	worker := newLoopWorker(NewWorkerEnd(request, 0, note.Generation, response, serverBell), bell, note.Seed)
	return workerReport{Identity: id}, worker.run()
}
