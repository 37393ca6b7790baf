package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
	"github.com/wavey-ai/upload-response/server"
)

// keysOf adds the keys of a section that have values, apps.NAME.user and routes[].app among them.
func keysOf(section reflect.Type, key string, keys map[string]reflect.StructField) {
	for i := range section.NumField() {
		f := section.Field(i)
		if f.Tag.Get("yaml") == "" {
			continue
		}
		below, t := strings.TrimPrefix(key+"."+f.Tag.Get("yaml"), "."), f.Type
		switch {
		case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
			below, t = below+".NAME", t.Elem()
		case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
			below, t = below+"[]", t.Elem()
		}
		if t.Kind() == reflect.Struct && t.Field(0).Tag.Get("yaml") != "" {
			keysOf(t, below, keys)
			continue
		}
		keys[below] = f
	}
}

// keyTester makes configurations that differ in one key.
type keyTester struct {
	dir, cert, key string
}

// other returns a value of a key that is not its default.
func (k *keyTester) other(key string, f reflect.StructField) string {
	if value := (map[string]string{
		"listen": "['127.0.0.1:81']", "socket": "other.sock", "tls.client-ca": k.cert, "tls.alt-svc": "'8443'",
		"tls.acme.domains": "[a.example.org]", "tls.acme.email": "a@example.org", "tls.acme.store": k.dir,
		"tls.acme.directory": "https://acme.example.org", "tls.certificates[].cert": k.cert,
		"tls.certificates[].key": k.key, "proxies.trust": "[10.0.0.0/8]", "memory.link": "4MiB",
		"memory.slot": "32KiB", "errors.pages": "{404: page.txt}", "limits.headers": "16KiB",
		"limits.rate-header": "X-Key", "limits.links-per-process": "5", "attach.uids": "[7]", "attach.gids": "[7]",
		"admin.listen": "'127.0.0.1:9181'", "admin.token": "a-token-that-is-long-enough",
		"admin.metrics": "'127.0.0.1:9182'", "tracing.otlp": "http://127.0.0.1:4318", "log.file": "log.txt",
		"log.access.format": "combined", "log.access.file": "access.txt", "log.access.skip": "[/up]",
		"apps.NAME.command": "[sh, -c]", "apps.NAME.python": "'a:c'", "apps.NAME.directory": k.dir,
		"apps.NAME.virtualenv": k.dir, "apps.NAME.environment": "{A: b}", "apps.NAME.user": "root",
		"apps.NAME.sandbox.read": "[/]", "apps.NAME.sandbox.write": "[/tmp]", "apps.NAME.sandbox.connect": "[443]",
		"apps.NAME.sandbox.bind": "[443]",
		"apps.NAME.watch":        "['*.py']", "apps.NAME.limits.cpu": "150%", "apps.NAME.attach.uids": "[7]",
		"apps.NAME.attach.gids": "[7]", "apps.NAME.processes.scale-up-when": "queue-wait > 1s",
		"routes[].name": "x", "routes[].match.host": "a.example.org", "routes[].match.path": "/a",
		"routes[].match.method": "PUT", "routes[].match.header": "{A: b}", "routes[].strip-prefix": "/a",
		"routes[].limit.by": "header:A", "routes[].app": "second", "routes[].files.root": k.dir,
		"routes[].files.index": "a.html", "routes[].files.precompressed": "[br]", "routes[].files.fallback": "/a.html",
		"routes[].redirect.to": "/b", "routes[].respond.status": "404", "routes[].respond.body": "b",
		"routes[].respond.type": "text/html", "routes[].retry.on": "died", "routes[].retry.times": "0",
	})[key]; value != "" {
		return value
	}
	for value := range strings.SplitSeq(f.Tag.Get("enum"), ",") {
		if value != "" && value != f.Tag.Get("default") {
			return value
		}
	}
	switch f.Type.Name() {
	case "bool":
		return map[string]string{"true": "false", "false": "true"}[f.Tag.Get("default")]
	case "Percent":
		return "17%"
	}
	return map[string]string{"int": "7", "Duration": "17s", "Size": "48MiB", "Memory": "48MiB", "Rate": "17/s",
		"Mode": "0640"}[f.Type.Name()]
}

// beside returns what a key needs in its section.
func (k *keyTester) beside(key string) string {
	for prefix, text := range map[string]string{
		"proxies.protocol": "trust: [unix]", "apps.NAME.processes.min": "max: 9", "apps.NAME.processes.idle": "max: 9",
		"apps.NAME.processes.scale": "max: 9", "routes[].limit.b": "rate: 5/s", "routes[].files.": "root: " + k.dir,
		"routes[].redirect.": "to: /a", "routes[].respond.": "status: 203, body: a",
		"tls.certificates[].": "cert: " + k.cert + ", key: " + k.key, "routes[].limit.body": "rate: 5/s",
	} {
		if strings.HasPrefix(key, prefix) && !strings.Contains(text, key[strings.LastIndexByte(key, '.')+1:]+":") {
			return text
		}
	}
	return ""
}

// file returns a configuration in which a key has a value; none if that is empty.
func (k *keyTester) file(key, value string) string {
	place, rest := "", key
	for _, prefix := range []string{"apps.NAME.", "routes[].", "tls.certificates[]."} {
		if after, found := strings.CutPrefix(key, prefix); found {
			place, rest = prefix, after
		}
	}
	parts := strings.Split(rest, ".")
	text := k.beside(key)
	if value != "" {
		text = strings.TrimPrefix(text+", "+parts[len(parts)-1]+": "+value, ", ")
	}
	for _, section := range slices.Backward(parts[:len(parts)-1]) {
		text = section + ": {" + text + "}"
	}
	const https = "listen: ['https://127.0.0.1:0']\n"
	const apps = "apps: {web: {command: [sh]}, second: {command: [sh]}}\n"
	switch {
	case place == "apps.NAME.":
		return "apps: {web: {" + k.program(rest) + text + "}}\n"
	case place == "tls.certificates[].":
		return https + "tls: {certificates: [{cert: " + k.cert + ", key: " + k.key + "}" + map[bool]string{
			true: ", {cert: " + k.cert + ", key: " + k.key + "}"}[value != ""] + "]}\n"
	case key == "tls.acme.domains" || key == "tls.client-ca" || key == "tls.self-signed":
		if value == "" || key == "tls.client-ca" {
			inner := strings.TrimPrefix(strings.TrimSuffix(text, "}"), "tls: {")
			return https + "tls: {" + inner + ", " + k.pair() + "}\n"
		}
		return https + text + "\n"
	case place == "" && strings.HasPrefix(key, "memory.total"):
		return text + "\n"
	case place == "":
		return "memory: {total: 64MiB}\n"[:len("memory: {total: 64MiB}\n")*map[bool]int{
			false: 1}[strings.HasPrefix(key, "memory.")]] + text + "\n"
	}
	answer := "app: web, "
	if answers := []string{"files", "redirect", "respond"}; slices.Contains(answers, parts[0]) ||
		rest == "app" && value != "" {
		answer = ""
	}
	return apps + "routes: [{match: {path: /s/*}, app: second}, {match: {path: /w/*}, app: web}, {" + answer + text +
		"}" +
		map[bool]string{true: ", {app: web}"}[strings.HasPrefix(rest, "match.") && value != ""] + "]\n"
}

// pair returns the certificate.
func (k *keyTester) pair() string {
	return "certificates: [{cert: " + k.cert + ", key: " + k.key + "}]"
}

// program returns what the app of a setting runs.
func (k *keyTester) program(setting string) string {
	switch setting {
	case "python", "command":
		return ""
	case "interface", "threads", "virtualenv":
		return "python: 'a:b', "
	}
	return "command: [sh], "
}

// settingsOf returns the settings that a text makes of a file.
func (k *keyTester) settingsOf(t *testing.T, text string) (*settings, error) {
	t.Helper()
	var s settings
	flags := s.flags(nothing)
	check(t, flags.Parse([]string{"--config", filepath.Join(k.dir, "my.yaml")}, nothing))
	r := rereader{flags, nothing}
	return r.read(filepath.Join(k.dir, "my.yaml"), []byte(text))
}

func TestAKeyThatChangesIsInForceOrNeedsAnUpgrade(t *testing.T) {
	k := keyTester{dir: t.TempDir()}
	k.cert, k.key, _ = writeSelfSigned(t)
	for name, mode := range map[string]os.FileMode{"page.txt": 0o600, "bin/python3": 0o700} {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(k.dir, name)), 0o700))
		check(t, os.WriteFile(filepath.Join(k.dir, name), nil, mode))
	}
	keys := map[string]reflect.StructField{}
	keysOf(reflect.TypeFor[config.File](), "", keys)
	if len(keys) < 120 {
		t.Fatalf("%d keys", len(keys))
	}
	delete(keys, "apps.NAME.stuck.then") // there is one value
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		t.Run(key, func(t *testing.T) { k.change(t, key, keys[key]) })
	}
}

// change has a server change one key.
func (k *keyTester) change(t *testing.T, key string, f reflect.StructField) {
	first, value := map[string]string{"apps.NAME.command": "[sh]", "apps.NAME.python": "'a:b'",
		"routes[].files.root": filepath.Dir(k.dir), "apps.NAME.sandbox.enabled": "false", "routes[].redirect.to": "/a",
		"routes[].respond.status": "203",
	}[key], k.other(key, f)
	if value == "" {
		t.Fatal("the test knows no value")
	}
	before, err := k.settingsOf(t, k.file(key, first))
	check(t, err)
	after, err := k.settingsOf(t, k.file(key, value))
	check(t, err)
	changes := config.Diff(before.file, after.file)
	if len(changes) == 0 {
		t.Fatalf("no change between\n%s\n%s", k.file(key, first), k.file(key, value))
	}
	if err := cannotChange(changes, after); err != nil {
		if !strings.Contains(err.Error(), "needs an upgrade") {
			t.Error(err)
		}
		return
	}
	inForce(t, before, after)
}

// inForce fails the test unless what other settings have changed is what a reload puts into force.
func inForce(t *testing.T, before, after *settings) {
	t.Helper()
	live := map[string]bool{ // what a service takes from its current settings
		"shutdown": before.shutdown != after.shutdown, "drain delay": before.drainDelay != after.drainDelay,
		"reload of workers": before.workers.reload != after.workers.reload,
		"access log":        before.accessLog != after.accessLog,
		"its lines": !slices.Equal(before.logFiles.skip, after.logFiles.skip) ||
			before.logFiles.access != after.logFiles.access ||
			before.logFiles.accessFormat != after.logFiles.accessFormat,
		"apps":   !reflect.DeepEqual(before.apps, after.apps),
		"router": !reflect.DeepEqual(routerPart(before), routerPart(after)),
	}
	if !slices.Contains(slices.Collect(maps.Values(live)), true) {
		t.Error("a reload says that it has changed, and it is in force nowhere")
	}
	for name, same := range map[string]bool{
		"listeners": reflect.DeepEqual(before.listeners, after.listeners), "socket": before.socket == after.socket,
		"output": before.workers.output == after.workers.output, "dumpable": before.dumpable == after.dumpable,
		"admin": reflect.DeepEqual(before.admin, after.admin), "log": reflect.DeepEqual(before.logging, after.logging),
		"log file": before.logFiles.log == after.logFiles.log,
		"observe":  reflect.DeepEqual(before.observe, after.observe),
	} {
		if !same {
			t.Errorf("a reload says that it has changed, but what was made of the %s at the start stays", name)
		}
	}
	before.config.Memory, after.config.Memory = 32<<20, 32<<20 // little to reserve
	before.config.LinkMemory, after.config.LinkMemory = 4<<20, 4<<20
	router, err := server.NewRouter(before.config)
	check(t, err)
	defer router.Close()
	if err := router.Reconfigure(after.config); err != nil {
		t.Errorf("the router refuses it: %v", err)
	}
}

// routerPart returns the configuration of the router without functions, which differ always.
func routerPart(s *settings) server.Config {
	c := s.config
	c.Started, c.OnAttach, c.Ended, c.OnStuck = nil, nil, nil, nil
	return c
}

func TestEverySettingIsKnownToTheTestOfKeys(t *testing.T) {
	var names []string
	for f := range fieldsOfSettings() {
		names = append(names, f)
	}
	want := []string{"config", "listeners", "socket", "apps", "workers", "added", "dumpable", "accessLog", "admin",
		"logging", "logFiles", "observe", "shutdown", "drainDelay", "fileName", "fileText", "file", "again",
		"predecessor"}
	if !slices.Equal(names, want) {
		t.Errorf("settings has %q: have inForce compare what is new", names)
	}
}

func fieldsOfSettings() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		t := reflect.TypeFor[settings]()
		for i := range t.NumField() {
			if !yield(t.Field(i).Name) {
				return
			}
		}
	}
}
