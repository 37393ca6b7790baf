package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// workerUser is the user that worker processes run as.
type workerUser struct {
	uid, gid   uint32
	groups     []uint32
	name, home string // empty: unknown
}

// parseUser takes NAME, NAME:GROUP, UID:GID, or a mixture. A name also stands for the groups
// of the user, and a number too if it is the number of a user.
func parseUser(p **workerUser) func(string) error {
	return func(s string) error {
		name, group, grouped := strings.Cut(s, ":")
		if name == "" || grouped && group == "" {
			return errors.New("want NAME, NAME:GROUP or UID:GID")
		}
		w, err := lookUpUser(name)
		if err != nil {
			return err
		}
		switch {
		case grouped:
			w.gid, err = lookUpGroup(group)
		case w.name == "":
			err = fmt.Errorf("no user has the number %s, so the group is unknown: want UID:GID", name)
		}
		*p = w
		return err
	}
}

func lookUpUser(name string) (*workerUser, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			uid, number := numeric(name)
			if !number {
				return nil, fmt.Errorf("there is no user %s", name)
			}
			return &workerUser{uid: uid}, nil
		}
	}
	w := &workerUser{name: u.Username, home: u.HomeDir}
	w.uid, _ = numeric(u.Uid)
	w.gid, _ = numeric(u.Gid)
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", name, err)
	}
	for _, text := range groups {
		if gid, ok := numeric(text); ok {
			w.groups = append(w.groups, gid)
		}
	}
	return w, nil
}

func lookUpGroup(name string) (uint32, error) {
	if g, err := user.LookupGroup(name); err == nil {
		name = g.Gid
	}
	gid, ok := numeric(name)
	if !ok {
		return 0, fmt.Errorf("there is no group %s", name)
	}
	return gid, nil
}

// numeric returns the number that a text is. The largest number is not valid: to system
// calls it means "leave it unchanged".
func numeric(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n != math.MaxUint32
}

// credential is what makes a process run as the user; nil: it runs as we do.
func (w *workerUser) credential() *syscall.Credential {
	if w == nil || int(w.uid) == os.Geteuid() && int(w.gid) == os.Getegid() {
		return nil
	}
	return &syscall.Credential{Uid: w.uid, Gid: w.gid, Groups: w.groups}
}

// env returns the environment variables that depend on the user.
func (w *workerUser) env() (list []string) {
	if w == nil || w.name == "" {
		return nil
	}
	return []string{"HOME=" + w.home, "USER=" + w.name, "LOGNAME=" + w.name}
}

// check returns an error if we cannot start processes of the user, and a warning if they
// probably cannot reach the socket.
func (w *workerUser) check(socket string) (warning string, err error) {
	if w.credential() == nil {
		return "", nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("--worker-user: only root can start processes of user %d, and the server is user %d",
			w.uid, os.Geteuid())
	}
	for dir := filepath.Dir(absolute(socket)); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && !w.mayEnter(info) {
			const format = "user %d cannot enter %s, and so cannot reach the socket: choose another path with --socket"
			return fmt.Sprintf(format, w.uid, dir), nil
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
}

// mayEnter reports whether the mode of a folder lets the user through. Other rules may
// forbid it all the same.
func (w *workerUser) mayEnter(folder fs.FileInfo) bool {
	owner, mode := folder.Sys().(*syscall.Stat_t), folder.Mode().Perm()
	switch {
	case w.uid == 0:
		return true
	case owner.Uid == w.uid:
		return mode&0o100 != 0
	case owner.Gid == w.gid || slices.Contains(w.groups, owner.Gid):
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
