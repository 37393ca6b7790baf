package config

import (
	"errors"
	"os"
	"strconv"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// Sandbox restricts what the processes of an app can reach, by Landlock. An app without this
// key has none; "sandbox: true" is one in which nothing can be written.
//
// A process in a sandbox can read, and run, what every program needs: /usr, /bin, /sbin, /lib,
// /etc, /nix/store, /proc and /sys; its program, its working directory, and its Python with the
// virtual environment; what PYTHONPATH, LD_LIBRARY_PATH and UPLOAD_RESPONSE_LIBRARY name. It can
// use /dev/null, zero, full, random, urandom and tty. All else is closed, also /tmp and /dev/shm.
// It gains no rights by set-uid programs, and can signal only itself and its children.
type Sandbox struct {
	// Whether the sandbox is in force. It is, too, if one of the other keys is given.
	Enabled bool `yaml:"enabled" short:"true" default:"false"`
	// Files and folders that can be read besides, and programs run in them.
	Read []Path `yaml:"read" hint:"ro,read-only,read-only-paths,readonlypaths,bindreadonlypaths"`
	// Files and folders that can be written, such as /tmp and /var/lib/shop. Programs in them are
	// not run, unless they can be read as well.
	Write []Path `yaml:"write" hint:"rw,read-write,read-write-paths,readwritepaths,bindpaths,writable"`
	// TCP ports that can be connected to, such as [443, 5432]; [] is none. Without this key, any.
	Connect []Port `yaml:"connect" hint:"connect-tcp,ports,network"`
	// TCP ports on which processes can listen; [] is none, 0 is one that the kernel chooses.
	// Without this key, any.
	Bind []Port `yaml:"bind" hint:"bind-tcp,listen,socketbindallow"`
	// Refuse the configuration where the kernel cannot enforce all of this. Otherwise the app runs,
	// and the log says what is not in force.
	Required bool `yaml:"required" default:"false" hint:"strict"`
}

// Port is the number of a TCP port.
type Port uint16

// UnmarshalText reads a number.
func (p *Port) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil {
		return errors.New("want the number of a TCP port, 0 to 65535")
	}
	*p = Port(n)
	return nil
}

// String returns the number.
func (p Port) String() string { return strconv.Itoa(int(p)) }

// MarshalText returns what String does.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// sandbox returns the sandbox of an app; nil: it has none.
func (f *File) sandbox(name string) *supervise.Sandbox {
	key, s := "apps."+name+".sandbox", f.Apps[name].Sandbox
	if on := s.Enabled || !f.has(key+".enabled"); !f.has(key) || !on {
		return nil
	}
	box := &supervise.Sandbox{Required: s.Required}
	for _, path := range s.Read {
		box.Read = append(box.Read, string(path))
	}
	for _, path := range s.Write {
		box.Write = append(box.Write, string(path))
	}
	if f.has(key + ".connect") {
		box.Connect = portNumbers(s.Connect)
	}
	if f.has(key + ".bind") {
		box.Bind = portNumbers(s.Bind)
	}
	return box
}

// portNumbers returns ports as numbers, never nil: none is not any.
func portNumbers(ports []Port) []uint16 {
	list := make([]uint16, 0, len(ports))
	for _, p := range ports {
		list = append(list, uint16(p))
	}
	return list
}

func (f *File) checkSandbox(name string) {
	key, s := "apps."+name+".sandbox", f.Apps[name].Sandbox
	for list, paths := range map[string][]Path{".read": s.Read, ".write": s.Write} {
		for i, path := range paths {
			if _, err := os.Stat(string(path)); err != nil {
				f.addAt(indexed(key+list, i), "%v: what a sandbox opens has to exist when processes start", plain(err))
			}
		}
	}
	if err := f.sandbox(name).Check(); err != nil {
		f.addAt(key+".required", "app %s: %v", name, err)
	}
}

// checkUser refuses a user that there is not, or whose processes we cannot start.
func (f *File) checkUser(key, text string) {
	if text == "" {
		return
	}
	user, err := supervise.ParseUser(text)
	if err == nil {
		err = user.CanStart()
	}
	if err != nil {
		f.addAt(key, "user: %v", err)
	}
}
