"""The operations of EventBridge, by what they are about; `api.Events` is made of them."""
