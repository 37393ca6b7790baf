package header

import "strings"

// ownPrefix begins the names of fields that only the server writes, see
// [proto.ClientField].
const ownPrefix = "Upload-Response-"

// proxyPrefixes and proxyNames are the fields in which proxies tell an application who the
// client is, what the client has proved, or what it has asked for: applications believe
// them, so only a trusted proxy may send them. Those that the server writes itself are in
// policies.
var proxyPrefixes = []string{
	"X-Forwarded-", "X-Ssl-", "Ssl-Client-", "X-Client-Cert", "X-Client-Ssl-", "X-Auth-Request-", "X-Envoy-",
}

var proxyNames = []string{
	// the client's address
	"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Forwarded", "X-Remote-Ip",
	"X-Remote-Addr", "Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Cf-Ipcountry",
	"Fastly-Client-Ip", "Fly-Client-Ip", "X-Azure-Clientip",
	// how the request came, and its first target
	"Front-End-Https", "X-Url-Scheme", "X-Scheme", "X-Script-Name", "X-Original-Url", "X-Original-Uri",
	"X-Original-Host",
	"X-Original-Method", "X-Rewrite-Url", "X-Accel-Mapping", "X-Sendfile-Type",
	// the name of the user
	"Remote-User", "Remote-Name", "Remote-Email", "Remote-Group", "Remote-Groups", "X-Remote-User", "X-Remote-Name",
	"X-Remote-Email", "X-Remote-Group", "X-Remote-Groups", "X-Authenticated-User", "X-Authenticated-Userid",
	"X-Authenticated-Groups", "X-Webauth-User", "X-Client-Dn", "X-Client-Verify",
}

func init() {
	for _, name := range proxyNames {
		policies[name] = trustedOnly
	}
}

// proxyPolicyOf returns the policy for a field by the beginning of the name.
func proxyPolicyOf(canonical string) policy {
	for _, prefix := range proxyPrefixes {
		if strings.HasPrefix(canonical, prefix) {
			return trustedOnly
		}
	}
	return pass
}
