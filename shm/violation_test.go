package shm

import (
	"errors"
	"fmt"
	"testing"
)

func TestAViolationNamesTheNumberAndItsBound(t *testing.T) {
	err := fmt.Errorf("link 3: %w", &Violation{What: "slot buffer", Got: 9, Max: 7})
	if want := "link 3: shm: peer violated the protocol: slot buffer is 9, bound 7"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	var v *Violation
	if !errors.As(err, &v) || v.Got != 9 || v.Max != 7 {
		t.Errorf("the violation cannot be found in %v", err)
	}
}
