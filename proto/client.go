package proto

// ClientField is the field in which a server tells its workers the address and port of
// the client: 203.0.113.7:40001 or [2001:db8::1]:443, with port 0 if the port is unknown.
// It is the first field of a request. It is missing if the client has no address. The
// server drops fields with this name that clients send.
const ClientField = "upload-response-client"

// Client returns the address and port of the client, or "" if it has none, and all fields
// except ClientField. The fields live as long as those of r.
func (r *Request) Client() (address string, fields []Field) {
	if len(r.Fields) == 0 || r.Fields[0].Name != ClientField {
		return "", r.Fields
	}
	return r.Fields[0].Value, r.Fields[1:]
}
