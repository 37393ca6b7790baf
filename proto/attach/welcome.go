package attach

// Welcome is the server's answer to a Hello that it accepts: type "welcome". The file
// descriptors of the link come with it.
type Welcome struct {
	Layout            uint16 `msgpack:"layout"`              // memory layout that both will use
	Features          uint64 `msgpack:"features"`            // bits of what both can do
	LayoutHash        uint64 `msgpack:"layout_hash"`         // hash of the server's table of that layout
	Instance          uint64 `msgpack:"instance"`            // random number of this run of the server
	ServerPID         uint32 `msgpack:"server_pid"`          // process id in the server's own PID namespace
	Server            string `msgpack:"server"`              // name and version of the server
	Link              uint32 `msgpack:"link"`                // row of the link in the request segment, from 0
	LinkGeneration    uint32 `msgpack:"link_generation"`     // tells this link from the one that had the row before
	Lanes             uint32 `msgpack:"lanes"`               // lanes in the response segment
	RequestBytes      uint64 `msgpack:"request_bytes"`       // length of the request segment, in bytes
	ResponseBytes     uint64 `msgpack:"response_bytes"`      // length of the response segment, in bytes
	ResponseTimeoutMS uint64 `msgpack:"response_timeout_ms"` // longest wait of the server for a response, in ms
}

// Type returns "welcome".
func (*Welcome) Type() string { return "welcome" }
