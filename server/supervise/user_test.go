package supervise

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUserOfWorkersIsANameOrANumber(t *testing.T) {
	for text, want := range map[string]User{
		"root":        {UID: 0, GID: 0, Name: "root"},
		"0":           {UID: 0, GID: 0, Name: "root"},
		"root:12":     {UID: 0, GID: 12, Name: "root"},
		"70001:70002": {UID: 70001, GID: 70002},
	} {
		got, err := ParseUser(text)
		if err != nil || got.UID != want.UID || got.GID != want.GID || got.Name != want.Name {
			t.Errorf("%s is %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":", "root:", ":1", "70001", "no such user", "root:no such group", "4294967295:1",
		"1:4294967295"} {
		if got, err := ParseUser(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestAProcessHasTheRightsOfItsUserAndGroupsAndNoOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of another user")
	}
	const uid, gid, group = 70001, 70002, 70003
	dir, err := os.MkdirTemp("", "supervise") // that of the test is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	owners := map[string][2]int{"its": {uid, 0}, "group": {0, gid}, "groups": {0, group}, "root": {0, 0}}
	for name, owner := range owners {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, []byte(name), 0o440), os.Chown(file, owner[0], owner[1])); err != nil {
			t.Fatal(err)
		}
	}
	var r recorder
	a := shell("cd " + dir + "; cat its group groups root >&2; echo >&2; " +
		"echo $HOME $USER $LOGNAME $(id -u) $(id -G) >&2; echo done >&2; exec sleep 1000")
	a.User = &User{UID: uid, GID: gid, Groups: []uint32{group}, Name: "shop", Home: "/home/shop"}
	running(t, r.config(), a)
	eventually(t, "the end of the script", func() bool { return strings.Contains(r.stderr(), "done\n") })
	got := r.stderr()
	if !strings.Contains(got, "itsgroupgroups") || !strings.Contains(got, "root: Permission denied") {
		t.Errorf("it reads %q", got)
	}
	if !strings.Contains(got, "/home/shop shop shop 70001 70002 70003\n") {
		t.Errorf("it is %q", got)
	}
}

func TestAUserThatWeCannotChangeToIsRefused(t *testing.T) {
	us := &User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	if err := us.CanStart(); err != nil {
		t.Error(err)
	}
	err := (&User{UID: 70001, GID: 70001}).CanStart()
	if root := os.Geteuid() == 0; root != (err == nil) {
		t.Errorf("root: %v, %v", root, err)
	}
}
