package dispatch

import (
	"fmt"
	"os"
	"sync"

	"github.com/wavey-ai/upload-response/shm"
)

// ResponseChunkCache holds the response slots of all links: a segment for each,
// within one budget, and the mailboxes that go with them.
type ResponseChunkCache struct {
	slotSize, slotLimit int
	linkMemory          uint64

	mu         sync.Mutex
	left       uint64   // bytes of the budget
	mailboxes  []uint32 // free ones
	generation uint32
	bounds     linkBounds
}

func newResponseChunkCache(c *Config) *ResponseChunkCache {
	r := &ResponseChunkCache{
		slotSize: c.SlotSize, slotLimit: c.SlotsPerStream, linkMemory: c.LinkMemory,
		left: c.Memory - c.Memory/2, bounds: newLinkBounds(c),
	}
	for i := range c.MaxLinks {
		r.mailboxes = append(r.mailboxes, uint32(c.MaxLinks-1-i))
	}
	return r
}

// configure takes over what a configuration says of the number of links.
func (r *ResponseChunkCache) configure(c *Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bounds.configure(c)
}

// linkSegment is what a new link gets.
type linkSegment struct {
	segment    *shm.ResponseSegment
	file       *os.File // to be sent to the worker, then closed
	mailbox    uint32
	generation uint32
	holder     holder
}

// acquire makes the segment of a link that serves so many streams at once, with
// more lanes for those assigned ahead. If the memory of a link does not hold that
// many lanes the link gets what it holds, and serves fewer at once. Release:
// release, with the link; or giveUp.
func (r *ResponseChunkCache) acquire(h holder, wanted, mostLanes int) (ls linkSegment, concurrency int, err error) {
	most := min(wanted+prefetchLanes, mostLanes)
	g, err := r.plan(most)
	if err != nil {
		return linkSegment{}, 0, fmt.Errorf("%w: raise the memory of a link", err)
	}
	if ls, err = r.reserve(h); err != nil {
		return linkSegment{}, 0, err
	}
	if ls.segment, ls.file, err = shm.CreateResponseSegment(g); err != nil {
		r.giveBack(ls.mailbox, h)
		return linkSegment{}, 0, err
	}
	return ls, max(1, wanted-(most-int(g.Lanes))), nil
}

// fewLanes is how many lanes may have all of a link's memory, a buffer each. More of
// them leave a quarter of it to those that stream: with one buffer alone, worker and
// server would wait for each other at every slot.
const fewLanes = 64

// plan fits as many lanes as it can, up to so many, into the memory of a link.
func (r *ResponseChunkCache) plan(lanes int) (g shm.ResponseGeometry, err error) {
	for ; lanes > 0; lanes-- {
		g, err = shm.PlanResponse(r.slotSize, r.slotLimit, lanes, r.linkMemory)
		if err == nil && (lanes <= fewLanes || int(g.Buffers)-lanes >= int(g.Buffers)/4) {
			return g, nil
		}
	}
	return g, err
}

func (r *ResponseChunkCache) reserve(h holder) (linkSegment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.mailboxes) == 0 {
		return linkSegment{}, fmt.Errorf("no free link: raise the number of links")
	}
	if r.left < r.linkMemory {
		return linkSegment{}, fmt.Errorf("%d bytes of response memory are left, a link takes %d: "+
			"raise the memory, or lower that of a link", r.left, r.linkMemory)
	}
	if err := r.bounds.enter(h, min(len(r.mailboxes), int(r.left/r.linkMemory))); err != nil {
		return linkSegment{}, err
	}
	r.left -= r.linkMemory
	r.generation++
	n := len(r.mailboxes) - 1
	mailbox := r.mailboxes[n]
	r.mailboxes = r.mailboxes[:n]
	return linkSegment{mailbox: mailbox, generation: r.generation, holder: h}, nil
}

// release frees the memory of a closed link that nobody uses any more. Its worker may
// still map it: a new link gets new memory, and never this.
func (r *ResponseChunkCache) release(l *link) {
	_ = l.segment.Close()
	r.giveBack(l.index, l.holder)
}

// giveUp frees the segment of an attach that failed.
func (r *ResponseChunkCache) giveUp(ls linkSegment) {
	_ = ls.file.Close()
	_ = ls.segment.Close()
	r.giveBack(ls.mailbox, ls.holder)
}

func (r *ResponseChunkCache) giveBack(mailbox uint32, h holder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += r.linkMemory
	r.mailboxes = append(r.mailboxes, mailbox)
	r.bounds.leave(h)
}
