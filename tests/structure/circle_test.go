package main

import (
	"slices"
	"testing"
)

func TestACircleIsWhatCanBeReachedBothWays(t *testing.T) {
	g := graph{"a": {"b"}, "b": {"c", "int"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"f"}}
	if got := g.largestCircle(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Error(got)
	}
}

// mostInCircle is how many types of the server may hold each other: whoever has to change
// one of them has to know them all.
const mostInCircle = 8

func TestFewTypesHoldEachOther(t *testing.T) {
	circle, err := LargestCircle("../../server")
	if err != nil {
		t.Fatal(err)
	}
	if len(circle) > mostInCircle {
		t.Errorf("%d types hold each other by fields, %d at most were meant to: %q", len(circle), mostInCircle, circle)
	}
}
