"""Ready-made handlers: each fits one sitting, and imports `bridge` and nothing below it."""
