package conn

import "testing"

func TestTheClientOfAConnectionIsFoundOutOnce(t *testing.T) {
	trust := NewTrust(nil, false)
	c := &Conn{}
	if n := testing.AllocsPerRun(100, func() { c.Client("203.0.113.7:40001", trust) }); n > 0 {
		t.Errorf("%v allocations for each request", n)
	}
	if client := c.Client("203.0.113.8:1", trust); client.Node != "203.0.113.8:1" { // a client of HTTP/3 has moved
		t.Errorf("it is still at %s", client.Node)
	}
}
