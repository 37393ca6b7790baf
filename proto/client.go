package proto

// ClientField is the field in which a server tells its workers the address and the port
// of the client: 203.0.113.7:40001 or [2001:db8::1]:443, with port 0 if it does not know
// the port. It is the first field of a request, or there is none: the client has no
// address. What clients send under this name does not reach workers.
const ClientField = "upload-response-client"

// Client returns the address and the port of the client, or "" if it has none, and the
// fields but for the one that says so. The fields live as long as those of r.
func (r *Request) Client() (address string, fields []Field) {
	if len(r.Fields) == 0 || r.Fields[0].Name != ClientField {
		return "", r.Fields
	}
	return r.Fields[0].Value, r.Fields[1:]
}
