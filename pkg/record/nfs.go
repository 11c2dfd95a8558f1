package record

import (
	api "github.com/storageos/go-api/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// nfsOf is nil for a volume that is not shared over NFS.
func nfsOf(nfs api.NfsConfig) *v1.NFSSpec {
	var spec v1.NFSSpec
	if nfs.ServiceEndpoint != nil {
		spec.ServiceEndpoint = *nfs.ServiceEndpoint
	}
	if nfs.Exports != nil {
		for _, e := range *nfs.Exports {
			spec.Exports = append(spec.Exports, exportOf(e))
		}
	}
	if spec.ServiceEndpoint == "" && len(spec.Exports) == 0 {
		return nil
	}
	return &spec
}

func exportOf(e api.NfsExportConfig) v1.NFSExport {
	export := v1.NFSExport{ExportID: clamp(e.ExportID), Path: e.Path, PseudoPath: e.PseudoPath}
	for _, a := range e.Acls {
		acl := v1.NFSExportACL{AccessLevel: a.AccessLevel}
		if a.Identity != (api.NfsAclIdentity{}) {
			acl.Identity = &v1.NFSExportIdentity{
				IdentityType: a.Identity.IdentityType, Matcher: a.Identity.Matcher,
			}
		}
		if a.SquashConfig != (api.NfsAclSquashConfig{}) {
			acl.SquashConfig = &v1.NFSExportSquashConfig{
				UID: a.SquashConfig.Uid, GID: a.SquashConfig.Gid, Squash: a.SquashConfig.Squash,
			}
		}
		export.ACLs = append(export.ACLs, acl)
	}
	return export
}
