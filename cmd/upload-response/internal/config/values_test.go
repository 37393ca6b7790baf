package config

import (
	"encoding"
	"os"
	"path/filepath"
	"testing"
)

type value interface {
	encoding.TextUnmarshaler
	encoding.TextMarshaler
}

func TestAValueIsWrittenAsItIsRead(t *testing.T) {
	for _, test := range []struct {
		v          value
		text, back string
	}{
		{new(Duration), "30s", "30s"}, {new(Duration), "90s", "1m30s"}, {new(Duration), "2m", "2m"},
		{new(Duration), "0", "0s"}, {new(Duration), "12h", "12h"}, {new(Duration), "24h", "1d"},
		{new(Duration), "7d", "7d"}, {new(Duration), "2w", "2w"}, {new(Duration), "1y", "1y"},
		{new(Duration), "1h30m", "1h30m"}, {new(Duration), "1.5s", "1.5s"}, {new(Duration), "250us", "250µs"},
		{new(Size), "65536", "64KiB"}, {new(Size), "1GB", "1000000000B"}, {new(Size), "0", "0"},
		{new(Memory), "25%", "25%"}, {new(Memory), "12.5%", "12.5%"}, {new(Memory), "1GiB", "1GiB"},
		{new(Percent), "10%", "10%"}, {new(Percent), "0.1", "10%"}, {new(Processors), "2", "200%"},
		{new(Processors), "150%", "150%"}, {new(Rate), "100/s", "100/s"}, {new(Rate), "100", "100/s"},
		{new(Rate), "30/m", "30/m"}, {new(Rate), "120/m", "2/s"}, {new(Rate), "5/h", "5/h"}, {new(Rate), "0", "0/s"},
		{new(Mode), "0660", "0660"}, {new(Mode), "0o600", "0600"}, {new(Mode), "777", "0777"},
		{new(QueueWait), "queue-wait > 50ms", "queue-wait > 50ms"}, {new(QueueWait), "queue-wait>1s",
			"queue-wait > 1s"},
	} {
		if err := test.v.UnmarshalText([]byte(test.text)); err != nil {
			t.Errorf("%T %q: %v", test.v, test.text, err)
		}
		back, err := test.v.MarshalText()
		if err != nil || string(back) != test.back {
			t.Errorf("%T %q: %q, %v, want %q", test.v, test.text, back, err, test.back)
		}
		if err := test.v.UnmarshalText(back); err != nil {
			t.Errorf("%T %q cannot be read again: %v", test.v, back, err)
		}
	}
}

func TestWhatIsNoValueIsRefused(t *testing.T) {
	for _, test := range []struct {
		v     value
		texts []string
	}{
		{new(Duration), []string{"", "30", "-1s", "s", "1.5d", "999999999y", "d"}},
		{new(Size), []string{"", "-1", "1.5GiB", "18446744073709551615", "x"}},
		{new(Memory), []string{"", "%", "0%", "101%", "-5%", "NaN%"}},
		{new(Percent), []string{"", "110%", "2", "-0.1", "NaN", "inf"}},
		{new(Processors), []string{"", "-100%", "many", "inf"}},
		{new(Rate), []string{"", "fast", "1/d", "-1", "1/", "inf/s", "NaN"}},
		{new(Mode), []string{"", "888", "1777", "rw"}},
		{new(QueueWait), []string{"", "queue-wait", "queue-wait < 5s", "queue-wait > 0", "load > 5s",
			"queue-wait > x"}},
	} {
		for _, text := range test.texts {
			if err := test.v.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T %q is accepted as %v", test.v, text, test.v)
			}
		}
	}
}

func TestAPartOfTheMemoryIsThatOfTheLeastLimitAroundTheProcess(t *testing.T) {
	root := t.TempDir()
	machine := memoryLimit(root)
	if machine != machineMemory() || machine < 64<<20 {
		t.Errorf("without a cgroup: %d", machine)
	}
	put := func(name, text string) {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		putFile(t, name, text)
	}
	put("proc/self/cgroup", "1:name=systemd:/x\n0::/system.slice/app.service\n")
	put("sys/fs/cgroup/system.slice/app.service/memory.max", "max\n")
	if got := memoryLimit(root); got != machine {
		t.Errorf("no limit: %d, want %d", got, machine)
	}
	put("sys/fs/cgroup/system.slice/memory.max", "33554432\n")
	if got := memoryLimit(root); got != 32<<20 {
		t.Errorf("the limit of the slice: %d", got)
	}
	put("sys/fs/cgroup/system.slice/app.service/memory.max", "16777216\n")
	if got := memoryLimit(root); got != 16<<20 {
		t.Errorf("the limit of the service: %d", got)
	}
	if got := (Memory{Percent: 50}).Bytes(); got > machine/2 || got%(1<<20) != 0 || got == 0 {
		t.Errorf("half of the memory: %d of %d", got, machine)
	}
}
