package listen

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestAnAddressCanBeShort(t *testing.T) {
	for text, want := range map[string]string{
		":8080": ":8080", "80": ":80", "0": ":0", "*:80": ":80", "http://:80": ":80", "http://:80/": ":80",
		"http://*": ":80", "HTTP://example.org": "example.org:80", "http:127.0.0.1:1": "127.0.0.1:1",
		"localhost": "localhost:8080", "localhost:81": "localhost:81", "127.0.0.1": "127.0.0.1:8080",
		"*": ":8080", "::1": "[::1]:8080", "[::1]": "[::1]:8080", "[::1]:82": "[::1]:82", "::": "[::]:8080",
		"http://[::1]": "[::1]:80", "example.org:80": "example.org:80",
		"https://:443": "https://:443", "https://example.org": "https://example.org:443",
		"https://localhost:8443/": "https://localhost:8443", "https://[fd00::1]": "https://[fd00::1]:443",
		"unix:/run/x": "unix:/run/x", "unix:x": "unix:x", "unix:///run/x": "unix:/run/x",
		"fd:3": "fd:3", "https+fd:4": "https+fd:4",
		"fd:web": "fd:web", "https+fd:shop.socket": "https+fd:shop.socket",
	} {
		a, err := ParseAddress(text)
		if err != nil || a.String() != want {
			t.Errorf("%q: %v, %v; want %s", text, a, err, want)
			continue
		}
		if again, err := ParseAddress(want); err != nil || again != a {
			t.Errorf("%q is %+v, and %q is %+v, %v", text, a, want, again, err)
		}
	}
}

func TestWhatIsNoAddressSaysWhatIsPossible(t *testing.T) {
	const want = "want HOST:PORT, https://HOST:PORT, unix:PATH, fd:N, fd:NAME or https+fd:..., such as 8080, :8080, "
	for text, want := range map[string]string{
		"": want, "80x": want, "example.org": want, ":http": want, "a:b:c": want, "127.0.0.1:": want, "-1": want,
		"http://": want, "https://a:b:c": want, "1.2.3.4.5": want,
		":65536": "port 65536 is too large: the last one is 65535", "99999": "port 99999 is too large",
		"https://:99999999999999999999": "port 99999999999999999999 is too large",
		"http://localhost:80/admin":     "want an address without a path",
		"ftp://example.org":             "unknown scheme ftp: want http:// or https://",
		"tcp://:80":                     "unknown scheme tcp", "fd:": "want fd: and the number of a descriptor",
		"fd:a b": "want fd: and the number of a descriptor", "fd:a:b": "want fd: and the number",
		"fd:99999999999":                   "want fd: and the number of a descriptor",
		"fd:" + strings.Repeat("x", 256):   "want fd: and the number",
		"https+fd:":                        "want https+fd: and the number of a descriptor, such as https+fd:3",
		"unix:":                            "want unix: and a path of 1 to 107 bytes",
		"unix:" + strings.Repeat("x", 108): "want unix: and a path",
	} {
		if a, err := ParseAddress(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %s", text, a, err, want)
		}
	}
}

func TestAddressesOverlapIfTheSecondCannotBeListenedOn(t *testing.T) {
	for _, hosts := range [][2]string{
		{"127.0.0.1", "0.0.0.0"}, {"0.0.0.0", "127.0.0.1"}, {"", "127.0.0.1"}, {"127.0.0.1", "127.0.0.2"}, {"", ""},
		{"127.0.0.1", "[::ffff:127.0.0.1]"}, {"127.0.0.1", "[::]"}, {"[::1]", "0.0.0.0"}, {"[::1]", "127.0.0.1"},
	} {
		taken, err := net.Listen("tcp", hosts[0]+":0")
		if err != nil {
			t.Logf("%s cannot be listened on here: %v", hosts[0], err)
			continue
		}
		defer taken.Close()
		port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
		var pair [2]Address
		for i, host := range hosts {
			if pair[i], err = ParseAddress(host + ":" + port); err != nil {
				t.Fatal(err)
			}
		}
		second, err := pair[1].Listen(0, false)
		if err == nil {
			second.Close()
		}
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
			t.Logf("%s cannot be listened on here: %v", hosts[1], err)
			continue
		}
		if got := pair[0].Overlaps(pair[1]); got != (err != nil) || got != pair[1].Overlaps(pair[0]) {
			t.Errorf("%q: they overlap: %t, but to listen on the second: %v", hosts, got, err)
		}
	}
}

func TestWhatTheKernelChoosesAndWhatIsNoPortOverlapsNothing(t *testing.T) {
	for _, texts := range [][2]string{{":0", ":0"}, {":80", ":81"}, {"unix:/a", "unix:/a"}, {":3", "fd:3"},
		{"a.example:80", "b.example:80"}} {
		a, err := ParseAddress(texts[0])
		b, other := ParseAddress(texts[1])
		if err != nil || other != nil || a.Overlaps(b) {
			t.Errorf("%q overlap: %v, %v", texts, err, other)
		}
	}
}
