package supervise

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

// User is the user that the processes of an app run as.
type User struct {
	UID, GID   uint32
	Groups     []uint32 // besides GID
	Name, Home string   // empty: unknown
}

// ParseUser takes NAME, NAME:GROUP, UID:GID, or a mixture. A name also stands for the groups
// of the user, and a number too if it is the number of a user.
func ParseUser(text string) (*User, error) {
	name, group, grouped := strings.Cut(text, ":")
	if name == "" || grouped && group == "" {
		return nil, errors.New("want NAME, NAME:GROUP or UID:GID")
	}
	u, err := lookUpUser(name)
	switch {
	case err != nil:
		return nil, err
	case grouped:
		u.GID, err = lookUpGroup(group)
	case u.Name == "":
		err = fmt.Errorf("no user has the number %s, so the group is unknown: want UID:GID", name)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

func lookUpUser(name string) (*User, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			uid, number := numeric(name)
			if !number {
				return nil, fmt.Errorf("there is no user %s", name)
			}
			return &User{UID: uid}, nil
		}
	}
	w := &User{Name: u.Username, Home: u.HomeDir}
	w.UID, _ = numeric(u.Uid)
	w.GID, _ = numeric(u.Gid)
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", name, err)
	}
	for _, text := range groups {
		if gid, ok := numeric(text); ok {
			w.Groups = append(w.Groups, gid)
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
func (w *User) credential() *syscall.Credential {
	if w == nil || int(w.UID) == os.Geteuid() && int(w.GID) == os.Getegid() {
		return nil
	}
	return &syscall.Credential{Uid: w.UID, Gid: w.GID, Groups: w.Groups}
}

// env returns the environment variables that depend on the user.
func (w *User) env() (list []string) {
	if w == nil || w.Name == "" {
		return nil
	}
	return []string{"HOME=" + w.Home, "USER=" + w.Name, "LOGNAME=" + w.Name}
}

// Check returns an error if we cannot start processes of the user, and a warning if they
// probably cannot reach the socket, which is an absolute path.
func (w *User) Check(socket string) (warning string, err error) {
	if err := w.CanStart(); err != nil || w.credential() == nil {
		return "", err
	}
	for dir := filepath.Dir(socket); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && !w.mayEnter(info) {
			const format = "user %d cannot enter %s, and so cannot reach the socket: choose another path with --socket"
			return fmt.Sprintf(format, w.UID, dir), nil
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
}

// CanStart returns an error if we cannot start processes of the user.
func (w *User) CanStart() error {
	if w.credential() == nil || os.Geteuid() == 0 {
		return nil
	}
	return fmt.Errorf("only root can start processes of user %d, and the server is user %d", w.UID, os.Geteuid())
}

// mayEnter reports whether the mode of a folder lets the user through. Other rules may
// forbid it all the same.
func (w *User) mayEnter(folder fs.FileInfo) bool {
	owner, mode := folder.Sys().(*syscall.Stat_t), folder.Mode().Perm()
	switch {
	case w.UID == 0:
		return true
	case owner.Uid == w.UID:
		return mode&0o100 != 0
	case owner.Gid == w.GID || slices.Contains(w.Groups, owner.Gid):
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
