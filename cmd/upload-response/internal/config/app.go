package config

// App is the workers of one application.
type App struct {
	// Program of the workers, and its arguments, as a list; no shell runs it. A single text is
	// split at spaces, outside of quotes. A relative program is looked for in the folder of the
	// app if it has a slash, else in $PATH. An app with neither command nor python is served by
	// workers that others start.
	Command Command `yaml:"command" hint:"cmd,exec,run"`
	// Python application, as MODULE:ATTRIBUTE, or MODULE:FACTORY() for the result of a call. With
	// the interface native, the MODULE that is run.
	Python string `yaml:"python" hint:"module,wsgi,asgi"`
	// What the Python application is: wsgi, asgi, native (a program that uses the SDK), or auto,
	// which finds out whether it is wsgi or asgi when it is loaded.
	Interface string `yaml:"interface" default:"auto" enum:"auto,wsgi,asgi,native" hint:"protocol,type"`
	// Virtual environment with the Python, in the folder of the app if it is relative. Without
	// it, python3 of $PATH.
	Virtualenv string `yaml:"virtualenv" hint:"venv,home"`
	// Threads of each process of a WSGI application.
	Threads int `yaml:"threads" hint:"thread"`
	// Folder in which the processes run.
	Directory Path `yaml:"directory" hint:"cwd,chdir,dir,working-directory,path,root"`
	// Environment variables, besides those of the server.
	Environment map[string]string `yaml:"environment" secret:"true" hint:"env"`
	// User of the processes: NAME, NAME:GROUP or UID:GID. Needs a server that runs as root.
	User string `yaml:"user"`
	// Number of processes, or between which numbers it follows the load.
	Processes Processes `yaml:"processes" hint:"workers,instances,num-workers,replicas"`
	// When a process that was started has failed.
	Start Start `yaml:"start"`
	// When a process that works is replaced; the new one attaches first.
	Recycle Recycle `yaml:"recycle" hint:"max-requests,restart"`
	// What happens to a process whose requests make no progress.
	Stuck Stuck `yaml:"stuck" hint:"timeout"`
	// How a process is ended.
	Stop Stop `yaml:"stop"`
	// Replace the workers when a file changes that one of these patterns matches, such as
	// **/*.py in the folder of the app; for development.
	Watch []string `yaml:"watch" hint:"reload"`
	// Limits of each process.
	Limits ProcessLimits `yaml:"limits" hint:"rlimits"`
	// What the processes can reach: files, TCP ports. Without it, what their user can.
	Sandbox Sandbox `yaml:"sandbox" hint:"isolation,landlock,protect-system"`
	// Which other workers may attach to this app.
	Attach AppAttach `yaml:"attach"`
}

// Command is a program and its arguments.
type Command []string

// Processes is the number of processes of an app. A number alone is fixed.
type Processes struct {
	// Number of processes, if it is fixed.
	Fixed int `yaml:"fixed" short:"true" default:"1"`
	// Least number of processes.
	Min int `yaml:"min" default:"1"`
	// Most processes.
	Max int `yaml:"max" default:"0"`
	// Start a process when requests wait for a worker longer than this.
	ScaleUpWhen QueueWait `yaml:"scale-up-when" default:"queue-wait > 50ms"`
	// End a process when it has not been needed for this long.
	Idle Duration `yaml:"idle" default:"30s"`
}

// Start says when a process that was started has failed.
type Start struct {
	// Kill a process that has not attached after this long; 0: never.
	Timeout Duration `yaml:"timeout" default:"1m"`
	// Deaths in a row, before a process attached, after which the app is failed: its requests get
	// 503 at once until one attaches; 0: never.
	GiveUpAfter int `yaml:"give-up-after" default:"6" hint:"retries,attempts"`
}

// Recycle says when a process that works is replaced.
type Recycle struct {
	// After this many requests; 0: never.
	Requests int `yaml:"requests" default:"0" hint:"max-requests"`
	// Part of requests and lifetime that is added at random, so that not all processes are
	// replaced at once.
	Jitter Percent `yaml:"jitter" default:"10%"`
	// After this time; 0: never.
	Lifetime Duration `yaml:"lifetime" default:"0s" hint:"ttl,age"`
	// When it has this much resident memory; 0: never.
	Memory Size `yaml:"memory" default:"0" hint:"max-memory,rss"`
}

// Stuck says what happens to a process whose requests make no progress.
type Stuck struct {
	// Without progress for this long; 0: never. The default is timeouts.response.
	After Duration `yaml:"after" hint:"timeout"`
	// Have the process print the stacks of its threads first.
	Stacks bool `yaml:"stacks" default:"true"`
	// What to do: replace the process.
	Then string `yaml:"then" default:"replace" enum:"replace"`
}

// Stop says how a process is ended.
type Stop struct {
	// Time between SIGTERM and SIGKILL, in which running requests can end.
	Timeout Duration `yaml:"timeout" default:"30s"`
}

// ProcessLimits are limits of each process of an app. What is not given is the server's.
type ProcessLimits struct {
	// Open files (RLIMIT_NOFILE).
	Nofile int `yaml:"nofile" hint:"open-files,files"`
	// Memory, by a cgroup that the server may make.
	Memory Size `yaml:"memory"`
	// Processors, such as 200%, by a cgroup that the server may make.
	CPU Processors `yaml:"cpu"`
}

// AppAttach says which workers may attach to an app that the server did not start for it.
type AppAttach struct {
	// Let other workers serve this app besides the processes that the server starts.
	Others bool `yaml:"others" default:"false"`
	// Users whose processes may attach, by number.
	UIDs []uint32 `yaml:"uids" hint:"users,uid"`
	// Groups whose processes may attach, by number.
	GIDs []uint32 `yaml:"gids" hint:"groups,gid"`
}
