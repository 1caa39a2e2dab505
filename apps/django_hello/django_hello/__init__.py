"""The hello app as a Django project."""
