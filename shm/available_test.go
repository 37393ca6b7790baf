package shm

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestTheMachineHasMemory(t *testing.T) {
	if have := machineAvailable(); have < 1<<20 || have == math.MaxUint64 {
		t.Errorf("the machine has %d bytes available", have)
	}
	if err := checkAvailable(4096); err != nil {
		t.Errorf("4096 bytes: %v", err)
	}
	if err := checkAvailable(math.MaxUint64 - 1); !errors.Is(err, ErrNoMemory) {
		t.Errorf("all bytes there are: %v", err)
	}
}

func TestANumberIsReadFromAFileThatHoldsOne(t *testing.T) {
	for text, want := range map[string]uint64{"12\n": 12, "0": 0, "18446744073709551615\n": math.MaxUint64} {
		path := filepath.Join(t.TempDir(), "number")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := readNumber(path); got != want || !ok {
			t.Errorf("%q is %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"max\n", "", "-1", "12 13"} {
		path := filepath.Join(t.TempDir(), "number")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := readNumber(path); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
	if _, ok := readNumber(filepath.Join(t.TempDir(), "missing")); ok {
		t.Error("a file that is not there holds a number")
	}
}
