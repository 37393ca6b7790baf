//go:build csdk

package csdk_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"

	"github.com/wavey-ai/upload-response/shm"
)

func TestTheStructsOfTheCSDKAreTheLayout(t *testing.T) {
	got, err := exec.Command(program(t, "tests/print_layout.c")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := shm.WriteLayoutTable(&want); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&want, "\nlayouts %d to %d, hash %#016x\n", shm.LayoutMin, shm.LayoutMax, shm.LayoutHash())
	gotLines, wantLines := bytes.Split(got, []byte("\n")), bytes.Split(want.Bytes(), []byte("\n"))
	for i := range max(len(gotLines), len(wantLines)) {
		switch {
		case i >= len(gotLines):
			t.Errorf("line %d is missing in C: %s", i+1, wantLines[i])
		case i >= len(wantLines):
			t.Errorf("line %d is only in C: %s", i+1, gotLines[i])
		case !bytes.Equal(gotLines[i], wantLines[i]):
			t.Errorf("line %d\nC:  %s\nGo: %s", i+1, gotLines[i], wantLines[i])
		}
	}
}
