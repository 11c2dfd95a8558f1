package v1

// What identifies a record stands in its metadata and not in its spec or
// status, because metadata is written together with the creation itself: spec
// and status are two writes, and a crash may fall between them. Metadata also
// survives on the older CRD of the product, which prunes status fields that it
// does not know.
const (
	// LabelVolumeID is the label with the ID of the StorageOS volume that the
	// record describes. It is the record's identity; the record's name is not.
	LabelVolumeID = "api.storageos.com/volume-id"

	// AnnotationNamespaceID is the annotation with the ID of the StorageOS
	// namespace (not the Kubernetes one) that the volume lives in.
	AnnotationNamespaceID = "api.storageos.com/namespace-id"

	// AnnotationClusterID is the annotation with the ID of the StorageOS
	// cluster that the volume was read from. Only this cluster's word that the
	// volume is gone lets the record be deleted.
	AnnotationClusterID = "api.storageos.com/cluster-id"

	// AnnotationAbsentSince is the annotation with the time (RFC 3339) at which
	// a complete listing of StorageOS first failed to show the volume. It is
	// there only while the volume is absent. The grace period before a deletion
	// counts from it, so it must outlive the process that set it.
	AnnotationAbsentSince = "api.storageos.com/absent-since"
)

// Types of the conditions in a record's status.
const (
	// ConditionPresent tells whether StorageOS still has the volume. It is
	// False exactly while the annotation AnnotationAbsentSince is set.
	ConditionPresent = "Present"

	// ConditionBound tells whether a PersistentVolume refers to the volume and
	// is bound to a claim.
	ConditionBound = "Bound"

	// ConditionHealthy tells whether as many copies of the volume's data are
	// usable as are wanted: True for HealthHealthy, False for HealthDegraded
	// and HealthOffline, Unknown for HealthUnknown.
	ConditionHealthy = "Healthy"
)

// Health sums up the state of a volume's master and replicas in one word.
//
// Any string is valid in a record: the constants are what the controller
// writes.
type Health string

const (
	// HealthHealthy means that as many copies are usable as are wanted.
	HealthHealthy Health = "Healthy"

	// HealthDegraded means that the master is online, but fewer copies are
	// usable than are wanted.
	HealthDegraded Health = "Degraded"

	// HealthOffline means that the master is offline: the volume cannot be
	// read or written.
	HealthOffline Health = "Offline"

	// HealthUnknown means that StorageOS does not know the state of the master.
	HealthUnknown Health = "Unknown"
)
