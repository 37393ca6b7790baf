package conn

import "testing"

func TestTheRequestsOfAConnectionHoldNoMoreThanItsWindow(t *testing.T) {
	var w Window
	var held int64
	for range 10 {
		held += w.Add(3, 8)
	}
	if held != 8 {
		t.Errorf("ten hold %d", held)
	}
	for range 10 {
		held += w.Add(-3, 8)
	}
	if held != 0 {
		t.Errorf("none hold %d", held)
	}
}
