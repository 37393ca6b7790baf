package shm

import "testing"

func TestALaneBelongsToTheStreamThatItAccepted(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	worker, server := link.worker.Lane(1), link.server.Lane(1)
	if server.Accepted(7) || server.HasLetGo(7) {
		t.Error("a lane that nobody used belongs to a stream")
	}
	worker.Accept(7)
	if !server.Accepted(7) || server.Accepted(8) || server.HasLetGo(7) {
		t.Error("the server does not see what the worker accepted")
	}
	worker.LetGo(7)
	if !server.HasLetGo(7) || server.HasLetGo(8) {
		t.Error("the server does not see what the worker let go of")
	}
	if other := link.server.Lane(0); other.Accepted(7) || other.HasLetGo(7) {
		t.Error("another lane is concerned")
	}
}

func TestAcceptingAStreamForgetsWhatTheLastOneWaitedFor(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	worker, server := link.worker.Lane(0), link.server.Lane(0)
	worker.WantRequest(true)
	worker.WantRoom(true)
	if !server.WantsRequest() || !server.WantsRoom() {
		t.Fatal("the server does not see what the worker waits for")
	}
	worker.Accept(1)
	if server.WantsRequest() || server.WantsRoom() {
		t.Error("the last stream's wishes are still there")
	}
	worker.WantRequest(true)
	worker.WantRequest(false)
	if server.WantsRequest() {
		t.Error("a wish that was taken back is still there")
	}
}
