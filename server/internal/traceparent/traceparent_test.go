package traceparent

import (
	"strings"
	"testing"
)

const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestAValidFieldIsReadAndWrittenAsItWas(t *testing.T) {
	c, ok := Parse(valid)
	if !ok || c.String() != valid || !c.Sampled() {
		t.Errorf("%v, %v", c.String(), ok)
	}
	if c, ok := Parse("cc" + valid[2:] + "-what-the-future-brings"); !ok || c.Span[7] != 0xb7 {
		t.Errorf("a later version is not read: %v", c)
	}
	if c, ok := Parse(valid[:length-2] + "00"); !ok || c.Sampled() {
		t.Errorf("one that is not sampled: %v, %v", c, ok)
	}
}

func TestAnInvalidFieldIsNone(t *testing.T) {
	for _, text := range []string{
		"", "00", valid + "-x", valid + "0", "ff" + valid[2:], "cc" + valid[2:] + "0", strings.ToUpper(valid),
		strings.Replace(valid, "4bf92f3577b34da6a3ce929d0e0e4736", strings.Repeat("0", 32), 1),
		strings.Replace(valid, "00f067aa0ba902b7", strings.Repeat("0", 16), 1),
		strings.Replace(valid, "-", "_", 1), strings.Replace(valid, "f", "g", 1), " " + valid,
	} {
		if c, ok := Parse(text); ok || c != (Context{}) {
			t.Errorf("%q is taken for %v", text, c)
		}
	}
	for n := range len(valid) {
		if _, ok := Parse(valid[:n]); ok {
			t.Errorf("%q is valid", valid[:n])
		}
	}
}

func TestNewIDsAreValid(t *testing.T) {
	seen := map[Context]bool{}
	for range 1000 {
		c := Context{Trace: NewTrace(), Span: NewSpan(), Flags: Sampled}
		again, ok := Parse(c.String())
		if !ok || again != c || seen[c] {
			t.Fatalf("%s", c.String())
		}
		seen[c] = true
	}
}

func FuzzWhatIsReadIsWrittenTheSame(f *testing.F) {
	f.Add(valid)
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := Parse(text)
		if ok && c.String()[3:] != text[3:length] {
			t.Errorf("%q is written as %q", text, c.String())
		}
	})
}
