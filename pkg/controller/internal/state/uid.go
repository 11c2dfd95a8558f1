package state

import (
	"sync"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"
)

// UID is a types.UID in 16 bytes. Of each volume two are kept, and as texts they would be a
// tenth of all that is. The zero value is that of none.
type UID uuid.UUID

// otherTexts are the texts that are no UUIDs. Kubernetes makes none.
var otherTexts sync.Map // UID to types.UID

// parse is the UID of a text that is a UUID as Kubernetes writes it.
func parse(text types.UID) (id UID, ok bool) {
	parsed, err := uuid.Parse(string(text))
	return UID(parsed), err == nil && parsed.String() == string(text)
}

// claimUID is that of the claim that a PersistentVolume names. Whoever may write
// PersistentVolumes may write anything there, of any length: what is no UUID is no claim's.
func claimUID(text types.UID) UID {
	id, ok := parse(text)
	if !ok {
		return UID{}
	}
	return id
}

// UIDOf is the UID of a text, the same for the same text.
func UIDOf(text types.UID) UID {
	if text == "" {
		return UID{}
	}
	if id, ok := parse(text); ok {
		return id
	}
	other := UID(uuid.NewSHA1(uuid.Nil, []byte(text)))
	otherTexts.Store(other, text)
	return other
}

// Text is the UID as Kubernetes has it.
func (u UID) Text() types.UID {
	if u == (UID{}) {
		return ""
	}
	if text, ok := otherTexts.Load(u); ok {
		return text.(types.UID)
	}
	return types.UID(uuid.UUID(u).String())
}
