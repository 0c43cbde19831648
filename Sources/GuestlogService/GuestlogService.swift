// GuestlogService
