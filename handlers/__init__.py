"""Ready-made handlers: each readable in one sitting, importing bridge and nothing else of ours."""
