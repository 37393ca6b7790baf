package shm

import (
	"slices"
	"testing"
)

// poolModel is the pool as simple as it can be said.
type poolModel struct {
	free     []uint32
	holders  []modelHolder
	promised int
}

// spare returns what a holder above its minimum may take.
func (m *poolModel) spare() int {
	toCome := m.promised
	for _, h := range m.holders {
		toCome -= h.min
	}
	return len(m.free) - m.owed() - max(0, toCome)
}

type modelHolder struct {
	open bool
	min  int
	held []uint32
}

func (m *poolModel) owed() int {
	owed := 0
	for _, h := range m.holders {
		owed += max(0, h.min-len(h.held))
	}
	return owed
}

func TestThePoolKeepsItsPromisesUnderRandomUse(t *testing.T) {
	random := testRand(t)
	for range 200 {
		total := 1 + random.IntN(12)
		p, m := NewPool(uint32(total)), &poolModel{holders: make([]modelHolder, 5), promised: random.IntN(total + 1)}
		p.Promise(m.promised)
		accounts := make([]Account, len(m.holders))
		for i := total; i > 0; i-- {
			m.free = append(m.free, uint32(i-1))
		}
		for range 300 {
			i := random.IntN(len(accounts))
			a, h := &accounts[i], &m.holders[i]
			switch op := random.IntN(8); {
			case !h.open && len(h.held) == 0:
				min := random.IntN(4)
				want := len(m.free)-m.owed() >= min
				if got := p.Open(a, min); got != want {
					t.Fatalf("Open(%d) is %v, want %v: %+v", min, got, want, p.Stats())
				}
				if want {
					h.open, h.min = true, min
				}
			case h.open && op == 0:
				a.Close()
				h.open, h.min = false, 0
			case h.open && op < 5:
				want := len(h.held) < h.min || m.spare() > 0
				b, got := a.Take()
				if got != want {
					t.Fatalf("Take is %v with %d of %d held, want %v: %+v", got, len(h.held), h.min, want, p.Stats())
				}
				if got {
					last := len(m.free) - 1
					if b != m.free[last] {
						t.Fatalf("took buffer %d, want %d, the last freed", b, m.free[last])
					}
					m.free, h.held = m.free[:last], append(h.held, b)
				}
			case len(h.held) > 0:
				k := random.IntN(len(h.held))
				b := h.held[k]
				h.held = slices.Delete(h.held, k, k+1)
				a.Give(b)
				m.free = append(m.free, b)
			}
			if got, want := p.Stats(), (PoolStats{Total: total, Free: len(m.free), Owed: m.owed()}); got != want {
				t.Fatalf("pool %+v, want %+v", got, want)
			}
			if s := p.Stats(); s.Owed > s.Free || s.Owed < 0 {
				t.Fatalf("more is owed than there is: %+v", s)
			}
			if a.Held() != len(h.held) {
				t.Fatalf("account holds %d, want %d", a.Held(), len(h.held))
			}
		}
	}
}
