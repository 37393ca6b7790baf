package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/bench/peers"
	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// some takes a list of words with commas between them. Each has to be among those in of
// that are allowed.
func some(p *[]string, of []string) func(string) error {
	return func(s string) error {
		list := strings.Split(s, ",")
		for _, word := range list {
			if !slices.Contains(of, word) {
				return fmt.Errorf("want some of %s, with commas between them", strings.Join(of, ","))
			}
		}
		*p = list
		return nil
	}
}

// numbers takes a list of numbers with commas between them.
func numbers(p *[]int, least, most uint64) func(string) error {
	return func(s string) error {
		var list []int
		for word := range strings.SplitSeq(s, ",") {
			n := 0
			if err := cli.Number(&n, 1, least, most)(word); err != nil {
				return fmt.Errorf("want whole numbers from %d to %d, with commas between them", least, most)
			}
			list = append(list, n)
		}
		*p = list
		return nil
	}
}

func joinNumbers(list []int) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ",")
}

// added adds any text but an empty one.
func added(p *[]string) func(string) error {
	return func(s string) error {
		var one string
		if err := cli.Text(&one)(s); err != nil {
			return err
		}
		*p = append(*p, one)
		return nil
	}
}

// target adds another server to be measured.
func target(p *[]peers.Target) func(string) error {
	return func(s string) error {
		t, err := peers.ParseTarget(s)
		if err == nil {
			*p = append(*p, t)
		}
		return err
	}
}
